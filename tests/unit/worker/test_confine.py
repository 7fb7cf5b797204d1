"""What a program that opens a stranger's network can still do: asked of one that tries."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from worker.confine import Limits, bare_environment, confined

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
    import os
    import socket

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


@pytest.mark.skipif(not kernel_can(LANDLOCK), reason="this kernel has no Landlock, or an old one")
def test_confined_program_reaches_nothing_but_its_own_files(tried: dict[str, object]) -> None:
    worked = {what for what, did in tried.items() if did is True}
    assert worked == {"writes its own"}


@pytest.mark.skipif(not kernel_can(LEAVES), reason="this kernel lets nobody leave the network")
def test_confined_program_leaves_the_network_though_its_libraries_begin_threads(tried: dict[str, object]) -> None:
    assert tried["network"] != Path("/proc/self/ns/net").readlink().name
    assert tried["connects"] is False
