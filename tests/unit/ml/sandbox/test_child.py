"""Test what is reported about a program that failed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ml.sandbox.child import ChildFailed, ChildKilled, run_child
from ml.sandbox.environment import child_environment


def fail(tmp_path: Path, program: str) -> ChildFailed:
    (tmp_path / "failing.py").write_text(program)
    environment = child_environment(tmp_path)
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    with pytest.raises(ChildFailed) as caught:
        run_child("failing", [], folder=tmp_path, environment=environment, seconds=30)
    return caught.value


def test_last_line_has_neither_control_characters_nor_the_path_of_its_folder(tmp_path: Path) -> None:
    program = f"import sys; sys.exit('first\\nA \\0 name \\x1b[2J in {tmp_path}/out/x')"
    assert fail(tmp_path, program).last_line == "A ? name ?[2J in …/out/x"


def test_program_that_says_nothing_has_a_sentence_for_it(tmp_path: Path) -> None:
    failed = fail(tmp_path, "import sys; sys.exit(4)")
    assert (failed.status, failed.last_line) == (4, "The program said nothing.")


def test_program_that_is_killed_is_told_from_one_that_fails(tmp_path: Path) -> None:
    killed = fail(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert isinstance(killed, ChildKilled)
    crashed = fail(tmp_path, "import os; os.kill(os.getpid(), 11)")
    assert crashed.crashed
    assert not isinstance(crashed, ChildKilled)
    assert not killed.crashed


STARTER = """
import os, sys
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
from ml.sandbox.child import run_child
run_child("sleeper", [sys.argv[1]], folder=Path(sys.argv[1]), environment=dict(os.environ), seconds=100)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells a process of the end of another.")
def test_program_ends_with_a_killed_parent(tmp_path: Path) -> None:
    sleeper = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1], 'pid').write_text(str(os.getpid()))"
    (tmp_path / "sleeper.py").write_text(f"{sleeper}; time.sleep(300)")
    environment = {**os.environ, "PYTHONPATH": f"{os.getcwd()}{os.pathsep}{tmp_path}"}
    parent = subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)], env=environment)
    until = time.monotonic() + 30
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
        assert time.monotonic() < until
        time.sleep(0.05)
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    parent.kill()
    parent.wait()
    child.wait(10)
