"""One copy of the site on a data folder: who it is, whether it still lives, and how to stop it."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

SERVE_PID = "POETSWEB_SERVE_PID"  # tells the processes of a copy whom they belong to
STOP_SECONDS = 40.0


class AlreadyRunning(RuntimeError):
    """Another copy uses the data folder. The message is a sentence for the user."""


@contextlib.contextmanager
def only_copy(data: Path) -> Iterator[None]:
    """Lock the data folder and note who we are. Raise AlreadyRunning if it is locked.

    A second copy would stop the first one's Valkey.
    """
    lock = FileLock(data / "serve.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = f" (process {pid})" if (pid := read_pid(data)) else ""
        raise AlreadyRunning(
            f"PoetsWeb is already running{who} with the data folder {data}. Stop it with “make stop”, "
            "or give this copy its own POETSWEB_DATA and PORT."
        ) from None
    try:
        _pid_file(data).write_text(str(os.getpid()))
        yield
    finally:
        _pid_file(data).unlink(missing_ok=True)
        lock.release()


def _pid_file(data: Path) -> Path:
    return data / "serve.pid"


def read_pid(data: Path) -> int | None:
    """Return the process that runs the copy, or None if none is noted or it has ended."""
    try:
        pid = int(_pid_file(data).read_text())
    except (OSError, ValueError):
        return None
    return pid if is_alive(pid) else None


def is_alive(pid: int) -> bool:
    """Return whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_orphan() -> bool:
    """Return whether this process belongs to a copy of the site that has ended."""
    site = int(os.environ.get(SERVE_PID) or 0)
    return bool(site) and not is_alive(site)


def stop_copy(data: Path) -> bool:
    """Stop the copy that uses the data folder and wait for its end. Return False if none is running.

    Raise TimeoutError if it does not end.
    """
    lock = FileLock(data / "serve.lock")
    with contextlib.suppress(Timeout), lock.acquire(timeout=0):
        return False
    pid = read_pid(data)
    if pid is None:
        raise TimeoutError("Its process cannot be found.")
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(Timeout), lock.acquire(timeout=0.2):
            return True
    raise TimeoutError(f"Process {pid} does not end.")
