"""Keep a command running: `python -m poetsweb.supervise COMMAND...` starts it again when it dies.

A worker that is killed because memory is short must not take the web server with it. SIGTERM, SIGINT and SIGHUP stop
the command and then this program, and so does the end of the site that started it: nothing goes on unsupervised. The
pause before a restart grows while the command keeps dying at once.
"""

import ctypes
import signal
import subprocess
import sys
import time
from types import FrameType

from poetsweb.instance import is_orphan

HEALTHY_SECONDS = 30.0  # a command that ran this long is restarted without a growing pause
MAX_PAUSE = 30.0
STOP_SECONDS = 20.0  # until a command that does not stop is killed
LOOK_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> int:
    """Run the command until a signal or the end of the site stops it, and return the exit code."""
    keeper = _Keeper(command)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, keeper.stop)
    return keeper.run()


def _end_with_parent() -> None:
    """Let the system stop this process when its parent dies, where it can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class _Keeper:
    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.child: subprocess.Popen[bytes] | None = None
        self.stopping = False

    def run(self) -> int:
        pause = 0.5
        while not self._told_to_stop():
            begun = time.monotonic()
            # The child is ours alone, and it has no threads yet when the function is called.
            self.child = subprocess.Popen(self.command, preexec_fn=_end_with_parent)  # noqa: S603
            status = self._wait(self.child)
            if self._told_to_stop():
                break
            pause = 0.5 if time.monotonic() - begun > HEALTHY_SECONDS else min(2 * pause, MAX_PAUSE)
            print(f"ended with status {status}; starting it again in {pause:.0f} s", file=sys.stderr, flush=True)
            self._sleep(pause)
        return 0

    def _wait(self, child: "subprocess.Popen[bytes]") -> int:
        """Wait for the child's end, and stop it when the site has ended. Return its status."""
        until = None
        while True:
            try:
                return child.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if not self.stopping and is_orphan():
                    self.stop()
                if self.stopping:
                    until = until or time.monotonic() + STOP_SECONDS
                    if time.monotonic() > until:
                        child.kill()

    def _told_to_stop(self) -> bool:
        return self.stopping or is_orphan()  # the signal handler may set it at any moment

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._told_to_stop() and time.monotonic() < until:
            time.sleep(0.1)

    def stop(self, number: int = signal.SIGTERM, frame: FrameType | None = None) -> None:
        self.stopping = True
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
