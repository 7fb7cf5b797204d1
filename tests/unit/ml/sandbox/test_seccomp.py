"""Test what the filter of system calls forbids by itself, on kernels whose Landlock does not know signals either."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml.sandbox.calls import CLONE3, MACHINES, REFUSED, rules_for
from ml.sandbox.seccomp import can_restrict_calls

pytestmark = pytest.mark.skipif(not can_restrict_calls(), reason="this system has no seccomp")
ROOT = Path(__file__).parents[4]
BEGIN = "from ml.sandbox.seccomp import restrict_calls; assert restrict_calls(online={online})\n"
REACHES = """
import ctypes, fcntl, json, os, resource, signal, socket, sys
libc, victim = ctypes.CDLL(None), int(sys.argv[1])

def works(action):
    try:
        return action() != -1
    except PermissionError:
        return False

pair = socket.socketpair()[0]
print(json.dumps({
    "signals it": works(lambda: os.kill(victim, 0)),
    "signals its thread": works(lambda: libc.tgkill(victim, victim, 0)),
    "signals it with a value": works(lambda: libc.sigqueue(victim, 0, 0)),
    "lets a file signal it": works(lambda: fcntl.fcntl(pair, fcntl.F_SETOWN, victim)),
    "chooses the signal": works(lambda: fcntl.fcntl(pair, 10, signal.SIGKILL)),
    "lets a socket signal it": works(lambda: fcntl.ioctl(pair, 0x8901, victim.to_bytes(4, "little"))),
    "limits its time": works(lambda: resource.prlimit(victim, resource.RLIMIT_CPU, (1, 1))),
    "limits its files": works(lambda: resource.prlimit(victim, resource.RLIMIT_NOFILE, (3, 3))),
    "reads its limits": works(lambda: resource.prlimit(victim, resource.RLIMIT_CPU)),
    "moves it": works(lambda: os.sched_setaffinity(victim, {0})),
    "lets it idle": works(lambda: os.sched_setscheduler(victim, os.SCHED_IDLE, os.sched_param(0))),
    "changes its parameter": works(lambda: os.sched_setparam(victim, os.sched_param(0))),
    "slows it": works(lambda: os.setpriority(os.PRIO_PROCESS, victim, 19)),
    "slows everybody": works(lambda: os.setpriority(os.PRIO_USER, 0, os.getpriority(os.PRIO_USER, 0))),
    "opens a queue": works(lambda: libc.msgget(0, 0o600)),
    "opens a semaphore": works(lambda: libc.semget(0, 1, 0o600)),
    "starts a process": works(lambda: os.fork() or os._exit(0)),
    "starts a program": works(lambda: os.posix_spawn("/bin/true", ["true"], {})),
}))
"""
KEEPS = """
import os, resource, threading
resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
resource.prlimit(os.getpid(), resource.RLIMIT_CPU)
os.sched_setaffinity(0, os.sched_getaffinity(0))
os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))
thread = threading.Thread(target=print, args=("a thread",), kwargs={"flush": True})
thread.start()
thread.join()
os.abort()
"""


@pytest.fixture
def victim() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def run(program: str, *arguments: str, online: bool = False) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", BEGIN.format(online=online) + program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("online", [False, True])
def test_process_reaches_no_other_and_starts_none(online: bool, victim: "subprocess.Popen[bytes]") -> None:
    done = run(REACHES, str(victim.pid), online=online)
    assert done.returncode == 0, done.stderr
    tried = json.loads(done.stdout)
    assert {what for what, worked in tried.items() if worked} == set()


def test_process_keeps_what_concerns_itself() -> None:
    done = run(KEEPS)
    assert (done.stdout, done.returncode) == ("a thread\n", -signal.SIGABRT), done.stderr


@pytest.mark.parametrize("machine", MACHINES)
def test_each_call_is_named_once(machine: str) -> None:
    place = MACHINES.index(machine)
    named = [numbers[place] for numbers in (*REFUSED.values(), *rules_for(1, online=False), CLONE3)]
    assert {number for number, times in Counter(named).items() if times > 1} <= {None}
