import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ml.sandbox.forks import CAN_FORK, fork_map

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="Nothing is forked on this system.")


def test_results_come_in_order_however_long_each_takes() -> None:
    def work(place: int) -> int:
        time.sleep(0.02 if place % 3 == 0 else 0)
        return place * place

    assert list(fork_map(work, 20, processes=3)) == [place * place for place in range(20)]


def test_work_is_done_in_as_many_other_processes_as_asked_for() -> None:
    pids = set(fork_map(lambda place: os.getpid(), 12, processes=3))
    assert len(pids) == 3
    assert os.getpid() not in pids


@pytest.mark.parametrize("count", [0, 1])
def test_less_work_than_processes(count: int) -> None:
    assert list(fork_map(lambda place: place, count, processes=4)) == list(range(count))


def test_results_larger_than_a_pipe() -> None:
    assert [len(found) for found in fork_map(lambda place: b"x" * 2**20, 4, processes=2)] == [2**20] * 4


def test_an_error_in_a_fork_is_raised_here() -> None:
    def work(place: int) -> int:
        if place == 3:
            raise OSError(28, "No space left on device")
        return place

    found = fork_map(work, 10, processes=2)
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="No space left"):
        next(found)


def test_an_error_that_cannot_be_sent_still_tells_what_it_was() -> None:
    class Local(Exception):
        pass

    def work(place: int) -> int:
        raise Local("of this function only")

    with pytest.raises(RuntimeError, match="Local: of this function only"):
        list(fork_map(work, 2, processes=2))


def test_a_killed_fork_is_taken_for_want_of_memory() -> None:
    def work(place: int) -> int:
        if place == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return place

    with pytest.raises(MemoryError):
        list(fork_map(work, 4, processes=2))


def test_forks_end_with_the_iterator() -> None:
    def work(place: int) -> int:
        if place >= 2:
            time.sleep(60)
        return os.getpid()

    found = fork_map(work, 10, processes=2)
    pids = [next(found), next(found)]
    close = getattr(found, "close")  # noqa: B009 - of the generator it is
    close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


PARENT = """
import os, pathlib, sys, time
from ml.sandbox.forks import fork_map
def work(place):
    pathlib.Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(0.05)
    return b"x" * 2**17
for _ in fork_map(work, 10000, processes=2):
    time.sleep(0.2)
"""


def test_forks_end_soon_after_a_killed_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)])
    try:
        _wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        parent.kill()
        parent.wait()
    _wait_for(lambda: not any(_lives(int(mark.name)) for mark in tmp_path.iterdir()))


def _wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
