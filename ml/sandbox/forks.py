"""Spread work over all cores in forked copies of this process, because threads would wait for the interpreter lock.

A fork starts at once and has everything that this process holds, so nothing needs to be sent to it; only results come
back. The code that runs in it must not use anything the copies would share, such as connections and files that are read
with `seek`. Other threads do not exist in it.
"""

import gc
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, TypeVar

Result = TypeVar("Result")

# The system libraries of macOS do not survive a fork.
CAN_FORK = sys.platform == "linux"


@dataclass(frozen=True)
class _Fork:
    pid: int
    results: IO[bytes]


def fork_map(work: Callable[[int], Result], count: int, *, processes: int) -> Iterator[Result]:
    """Yield work(0), work(1), ..., work(count - 1), in this order, computed in `processes` forks.

    A fork runs ahead only as far as its results fit in a pipe. Whatever `work` raises is raised here; raise
    `MemoryError` if a fork was killed, because that is usually why the system kills a process. The forks end with the
    iterator, however that ends, and soon after this process if it is killed.
    """
    forks: list[_Fork] = []
    try:
        for first in range(min(processes, count)):
            forks.append(_fork(work, range(first, count, processes), [fork.results for fork in forks]))
        for place in range(count):
            yield _receive(forks[place % processes])
    finally:
        for fork in forks:
            _end(fork)


def _fork(work: Callable[[int], Any], places: Sequence[int], strange: list[IO[bytes]]) -> _Fork:
    """Start a fork that works on the given places. It must not hold `strange`, the pipes of other forks, open."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns of locks that other threads may hold. See the top for what keeps us away from them.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
    if pid:
        os.close(writing)
        return _Fork(pid, os.fdopen(reading, "rb"))
    try:
        gc.disable()  # what lies in cycles is the parent's, and so is closing it
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for pipe in (reading, *(other.fileno() for other in strange)):
            os.close(pipe)
        _run(work, places, writing)
    finally:
        os._exit(0)  # nothing of the parent's is to be flushed or closed here


def _run(work: Callable[[int], Any], places: Sequence[int], writing: int) -> None:
    with os.fdopen(writing, "wb") as results:
        for place in places:
            try:
                answer = pickle.dumps((work(place), None))
            except Exception as error:
                answer = pickle.dumps((None, _sendable(error)))
            results.write(answer)
            results.flush()  # fails once the parent is gone


def _sendable(error: Exception) -> Exception:
    """Return the error, or one that says the same if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _receive(fork: _Fork) -> Any:
    try:
        result, error = pickle.load(fork.results)  # noqa: S301 - from a copy of this process
    except (EOFError, pickle.UnpicklingError) as broken:
        raise MemoryError("A fork of this process was killed.") from broken
    if error is not None:
        raise error
    return result


def _end(fork: _Fork) -> None:
    fork.results.close()
    os.kill(fork.pid, signal.SIGKILL)
    os.waitpid(fork.pid, 0)
