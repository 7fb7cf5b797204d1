"""Test what a program that opens a stranger's network can still do, with one that tries everything."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import shared_memory
from pathlib import Path

import pytest

from ml.sandbox.child import ChildFailed, ChildKilled, run_child
from ml.sandbox.confine import Limits, bare_environment, confined
from ml.sandbox.seccomp import can_restrict_calls

AUTOGROUP = Path("/proc/self/autogroup")
PROBE = '''
"""Tries what the brief of a hostile program would be; prints what worked."""
import json, os, pathlib, resource, socket, subprocess, sys
from multiprocessing import shared_memory
import ctypes
import numpy  # begins threads
libc = ctypes.CDLL(None)

def works(action):
    try:
        action()
    except OSError:
        return False
    return True

secret, own, outside, parent, port, victim = sys.argv[1:]
print(json.dumps({
    "reads the secret": works(lambda: pathlib.Path(secret).read_bytes()),
    "writes outside": works(lambda: pathlib.Path(outside).write_text("x")),
    "writes its own": works(lambda: pathlib.Path(own, "x").write_text("x")),
    "reads our environment": works(lambda: pathlib.Path("/proc", parent, "environ").read_bytes()),
    "starts a program": works(lambda: subprocess.run(["/bin/true"], check=True)),
    "connects": works(lambda: socket.create_connection(("127.0.0.1", int(port)), 2)),
    "starts a process": works(lambda: os.fork() or os._exit(0)),
    "kills us": works(lambda: os.kill(int(parent), 0)),
    "limits the time of others": works(lambda: resource.prlimit(int(victim), resource.RLIMIT_CPU, (1, 1))),
    "moves others": works(lambda: os.sched_setaffinity(int(victim), {0})),
    "lets others idle": works(lambda: os.sched_setscheduler(int(victim), os.SCHED_IDLE, os.sched_param(0))),
    "slows others": works(lambda: os.setpriority(os.PRIO_PROCESS, int(victim), 19)),
    "reads our memory": works(lambda: pathlib.Path("/proc", parent, "mem").open("rb")),
    "lists our files": works(lambda: os.listdir(f"/proc/{parent}/fd")),
    "reaches a Unix socket": works(lambda: socket.socket(socket.AF_UNIX).connect(own + "/socket")),
    "reaches an abstract socket": works(lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + own)),
    "makes a socket": works(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    "shares memory": works(lambda: shared_memory.SharedMemory(name="poetsweb-probe")),
    "shares old memory": libc.shmget(0x706F, 16, 0o600) != -1,
    "traces us": libc.ptrace(16, int(parent), 0, 0) == 0,
    "has other descriptors": sorted(map(int, os.listdir("/proc/self/fd")))[-1] > 4,
    "network": os.readlink("/proc/self/ns/net"),
}))
'''


def kernel_can(program: str) -> bool:
    return subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


KEY = 0x706F  # of System V's shared memory
LANDLOCK = "import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 6)"
LEAVES = "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x50000000))"


@contextmanager
def shared_things(folder: Path) -> Iterator[None]:
    """Listen on a Unix socket in the folder and on an abstract one, and hold memory that is shared by name."""
    libc = ctypes.CDLL(None)
    segment = libc.shmget(KEY, 16, 0o600 | 0o1000)
    memory = shared_memory.SharedMemory(name="poetsweb-probe", create=True, size=16)
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as abstract:
        named.bind(str(folder / "socket"))
        abstract.bind(f"\0{folder}")
        for server in (named, abstract):
            server.listen()
        try:
            yield
        finally:
            memory.close()
            memory.unlink()
            libc.shmctl(segment, 0, None)  # IPC_RMID


@contextmanager
def victim() -> Iterator[str]:
    """Run a process of ours that waits to be reached, and give its number."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            yield str(process.pid)
        finally:
            process.kill()


@pytest.fixture
def tried(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "probe.py").write_text(PROBE)
    (tmp_path / "own").mkdir()
    (tmp_path / "secret").write_text("secret")
    limits = Limits(reads=(str(tmp_path / "program"),), writes=(str(tmp_path / "own"),))
    with socket.create_server(("127.0.0.1", 0)) as server, shared_things(tmp_path / "own"), victim() as other:
        paths = [tmp_path / "secret", tmp_path / "own", tmp_path / "outside"]
        asked = [*paths, os.getpid(), server.getsockname()[1], other]
        module, arguments = confined("probe", map(str, asked), limits)
        environment = bare_environment(tmp_path)
        environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path / 'program'}"
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], env=environment, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of the end of another")
def test_confined_program_ends_with_whoever_started_it(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text("import time; print('ready', flush=True); time.sleep(300)")
    module, arguments = confined("sleeper", [], Limits(reads=(str(tmp_path),)))
    command = [sys.executable, "-m", module, *arguments]
    starts = f"import subprocess; child = subprocess.Popen({command!r}); print(child.pid, flush=True); child.wait()"
    environment = bare_environment(tmp_path)
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    with subprocess.Popen([sys.executable, "-c", starts], env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
    until = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this system does not weigh sessions")
@pytest.mark.parametrize("leads", [False, True])
def test_program_steps_back_as_far_as_it_is_told(leads: bool, tmp_path: Path) -> None:
    priority, group = told(tmp_path, nice=10, leads=leads)
    assert priority == min(os.nice(0) + 10, 19)
    assert group.split()[1:] == ["nice", "10"]


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this system does not weigh sessions")
def test_program_that_need_not_step_back_stays_among_its_starters(tmp_path: Path) -> None:
    assert told(tmp_path, nice=0) == (os.nice(0), AUTOGROUP.read_text())


def told(folder: Path, *, nice: int, leads: bool = False) -> tuple[int, str]:
    """Return the priority and the scheduler's group of a confined program, which may lead a session from the start."""
    program = "import json, os; print(json.dumps([os.nice(0), open('/proc/self/autogroup').read()]))"
    (folder / "told.py").write_text(program)
    module, arguments = confined("told", [], Limits(reads=(str(folder),), nice=nice))
    environment = {**bare_environment(folder), "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", module, *arguments]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, start_new_session=leads)
    assert said.returncode == 0, said.stderr
    priority, group = json.loads(said.stdout)
    return priority, group


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not kernel_can(LANDLOCK), reason="this kernel has no Landlock, or an old one")
def test_program_that_uses_up_its_time_is_told_from_one_that_somebody_killed(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text("while True: pass")
    arguments = confined("endless", [], Limits(reads=(str(tmp_path),), seconds=1))
    environment = {**bare_environment(tmp_path), "PYTHONPATH": str(tmp_path)}
    with pytest.raises(ChildFailed) as ended:
        run_child(*arguments, folder=tmp_path, environment=environment, seconds=60)
    assert ended.value.status == -signal.SIGXCPU
    assert not isinstance(ended.value, ChildKilled)


def test_confined_program_reaches_nothing_but_its_own_files(tried: dict[str, object]) -> None:
    worked = {what for what, did in tried.items() if did is True}
    assert worked == {"writes its own"}


@pytest.mark.skipif(not kernel_can(LEAVES), reason="this kernel lets nobody leave the network")
def test_confined_program_leaves_the_network_though_its_libraries_begin_threads(tried: dict[str, object]) -> None:
    assert tried["network"] != Path("/proc/self/ns/net").readlink().name
    assert tried["connects"] is False


ONLINE = """
import socket, sys
def works(family, kind):
    try:
        socket.socket(family, kind).close()
    except PermissionError:
        return False
    return True
socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5).close()
print([works(family, socket.SOCK_STREAM) for family in (socket.AF_INET6, socket.AF_UNIX, 40)])
"""


@pytest.mark.skipif(not can_restrict_calls(), reason="this system has no seccomp")
def test_program_that_may_go_online_reaches_no_process_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "online.py").write_text(ONLINE)
    limits = Limits(reads=(str(tmp_path),), online=True)
    environment = bare_environment(tmp_path)
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    with socket.create_server(("127.0.0.1", 0)) as server:
        module, arguments = confined("online", [str(server.getsockname()[1])], limits)
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[True, False, False]\n", done.stderr
