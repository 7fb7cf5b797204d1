"""Run one of our modules as a program, watch it, and stop it if it takes too long or nobody wants it any more."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

EVERY = 0.5  # seconds between two checks
STDERR_TAIL = 2000
_CRASHES = {-one for one in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)}


class ChildFailed(RuntimeError):
    """The program failed.

    `status` is its exit status, or None if it took too long. `last_line` is the last line of its error output, without
    control characters (names in it may come from a stranger's file) and without the path of its folder. It may be
    unsuitable for users.
    """

    def __init__(self, status: int | None, last_line: str) -> None:
        super().__init__(last_line)
        self.status, self.last_line = status, last_line

    @property
    def crashed(self) -> bool:
        """Return whether code below Python broke: another try may well succeed."""
        return self.status in _CRASHES


class ChildKilled(ChildFailed):
    """Somebody killed the program: the system, where memory is short, or a person. That is no fault of its work."""


def run_child(
    module: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: dict[str, str],
    seconds: float,
    alive: Callable[[], None] = lambda: None,
    said: Callable[[str], None] = lambda line: None,
) -> None:
    """Run `python -m module arguments...`, with its error output in `folder`/stderr. It ends with this process.

    `alive` is called twice a second, and `said` with the last line printed; if one of them raises, the program is
    stopped. Raise `ChildFailed` if the program fails or takes longer than `seconds`, `ChildKilled` if it is killed.
    """
    with (folder / "stderr").open("w+b") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own module, arguments of our own making
            [sys.executable, "-m", "ml.sandbox.tied", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            env=environment,
        )
        lines: list[str] = []
        listener = Thread(target=_listen, args=(process, lines), daemon=True)
        listener.start()
        try:
            in_time = _watch(process, lines, seconds, alive, said)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            listener.join()
            if process.stdout:
                process.stdout.close()
        if not in_time:
            raise ChildFailed(None, "")
        if process.returncode:
            errors.seek(0)
            tail = errors.read().decode(errors="replace").strip()[-STDERR_TAIL:]
            last_line = tail.splitlines()[-1] if tail else "The program said nothing."
            kind = ChildKilled if process.returncode == -signal.SIGKILL else ChildFailed
            raise kind(process.returncode, _printable(last_line).replace(str(folder), "…"))


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in line)


def _listen(process: "subprocess.Popen[str]", lines: list[str]) -> None:
    for line in process.stdout or ():
        lines[:] = [line]  # only the last line is needed


def _watch(
    process: "subprocess.Popen[str]",
    lines: list[str],
    seconds: float,
    alive: Callable[[], None],
    said: Callable[[str], None],
) -> bool:
    """Wait for the process, and return whether it ended in time."""
    spent = 0.0
    while True:
        try:
            process.wait(EVERY)
            return True
        except subprocess.TimeoutExpired:
            spent += EVERY
            alive()
            if lines:
                said(lines[-1])
            if spent > seconds:
                return False
