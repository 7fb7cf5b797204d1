"""Keep a command running: `python -m poetsweb.supervise COMMAND...` starts it again when it dies.

A worker that is killed because memory is short must not take the web server with it. SIGTERM and SIGINT stop the
command and then this program. The pause before a restart grows while the command keeps dying at once.
"""

import signal
import subprocess
import sys
import time
from types import FrameType

HEALTHY_SECONDS = 30.0  # a command that ran this long is restarted without a growing pause
MAX_PAUSE = 30.0


def main(command: list[str]) -> int:
    """Run the command until a signal stops it, and return the exit code."""
    keeper = _Keeper(command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keeper.stop)
    return keeper.run()


class _Keeper:
    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.child: subprocess.Popen[bytes] | None = None
        self.stopping = False

    def run(self) -> int:
        pause = 0.5
        while not self._told_to_stop():
            begun = time.monotonic()
            self.child = subprocess.Popen(self.command)  # noqa: S603 - what our own serve command wrote
            status = self.child.wait()
            if self._told_to_stop():
                break
            pause = 0.5 if time.monotonic() - begun > HEALTHY_SECONDS else min(2 * pause, MAX_PAUSE)
            print(f"ended with status {status}; starting it again in {pause:.0f} s", file=sys.stderr, flush=True)
            self._sleep(pause)
        return 0

    def _told_to_stop(self) -> bool:
        return self.stopping  # the signal handler may set it at any moment

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < until:
            time.sleep(0.1)

    def stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
