"""Test what a program that opens a stranger's network can still do, with one that tries everything."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml.sandbox.confine import Limits, bare_environment, confined

PROBE = '''
"""Tries what the brief of a hostile program would be; prints what worked."""
import json, os, pathlib, socket, subprocess, sys
import numpy  # begins threads

def works(action):
    try:
        action()
    except OSError:
        return False
    return True

secret, own, outside, parent, port = sys.argv[1:]
print(json.dumps({
    "reads the secret": works(lambda: pathlib.Path(secret).read_bytes()),
    "writes outside": works(lambda: pathlib.Path(outside).write_text("x")),
    "writes its own": works(lambda: pathlib.Path(own, "x").write_text("x")),
    "reads our environment": works(lambda: pathlib.Path("/proc", parent, "environ").read_bytes()),
    "starts a program": works(lambda: subprocess.run(["/bin/true"], check=True)),
    "connects": works(lambda: socket.create_connection(("127.0.0.1", int(port)), 2)),
    "kills us": works(lambda: os.kill(int(parent), 0)),
    "network": os.readlink("/proc/self/ns/net"),
}))
'''


def kernel_can(program: str) -> bool:
    return subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


LANDLOCK = "import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 6)"
LEAVES = "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x50000000))"


@pytest.fixture
def tried(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "probe.py").write_text(PROBE)
    (tmp_path / "own").mkdir()
    (tmp_path / "secret").write_text("secret")
    limits = Limits(reads=(str(tmp_path / "program"),), writes=(str(tmp_path / "own"),))
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = [tmp_path / "secret", tmp_path / "own", tmp_path / "outside", os.getpid(), server.getsockname()[1]]
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


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not kernel_can(LANDLOCK), reason="this kernel has no Landlock, or an old one")
def test_confined_program_reaches_nothing_but_its_own_files(tried: dict[str, object]) -> None:
    worked = {what for what, did in tried.items() if did is True}
    assert worked == {"writes its own"}


@pytest.mark.skipif(not kernel_can(LEAVES), reason="this kernel lets nobody leave the network")
def test_confined_program_leaves_the_network_though_its_libraries_begin_threads(tried: dict[str, object]) -> None:
    assert tried["network"] != Path("/proc/self/ns/net").readlink().name
    assert tried["connects"] is False
