"""Start inference servers, and start them again when they end."""

import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ml.images.budget import lock_path, open_lock
from ml.sandbox.confine import Limits, bare_environment, confined
from ml.serving.busy import SLOTS, BusyTimes, make_shared_memory

log = logging.getLogger(__name__)

_LONG = 10**7  # seconds of processor time: it serves as long as the site does
_PAUSE = 1.0  # seconds before a server is started again


@dataclass(frozen=True)
class ServerPool:
    """What all servers and all who ask them share. Made before the processes that ask are forked."""

    asking: socket.socket
    answering: socket.socket
    busy: int
    _closed: threading.Event = field(default_factory=threading.Event)
    _keepers: list[threading.Thread] = field(default_factory=list)  # of this process
    _running: "dict[int, subprocess.Popen[bytes]]" = field(default_factory=dict)  # by slot

    @classmethod
    def make(cls) -> "ServerPool":
        """Make a queue and the memory that the servers share."""
        return cls(*socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM), make_shared_memory())

    def keep_server(self, slot: int, *, threads: int, backbones: Path) -> None:
        """Start a server, which ends with this process, and watch it from now on.

        Args:
            slot: tells servers that run at the same time apart.
            threads: for a picture that is computed while no other is.
            backbones: the folder with the converted backbones.
        """
        slot %= SLOTS
        arguments = (self.answering.fileno(), self.busy, slot, threads)
        command = _confined_command([*map(str, arguments)], backbones)
        keeper = threading.Thread(target=self._keep, args=(command, slot), name="inference-server", daemon=True)
        self._keepers.append(keeper)
        keeper.start()

    def _keep(self, command: list[str], slot: int) -> None:
        busy = BusyTimes(self.busy)
        while not self._closed.is_set():
            busy.end(slot)  # the one before may have ended at work
            try:
                self._run(command, slot)
            except OSError as error:  # there may be no memory or no free process for now
                log.warning("An inference server could not be started: %s", error)
            self._closed.wait(_PAUSE)

    def _run(self, command: list[str], slot: int) -> None:
        """Start a server, and wait until it has ended."""
        with subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,  # its end tells the server that we are gone
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=bare_environment(Path(tempfile.gettempdir())),
            pass_fds=(self.answering.fileno(), self.busy),
        ) as process:
            self._running[slot] = process
            process.wait()

    def close(self) -> None:
        """End this process's servers."""
        self._closed.set()
        for keeper in self._keepers:
            while keeper.is_alive():
                for process in list(self._running.values()):
                    process.kill()
                keeper.join(0.1)
        self.asking.close()
        self.answering.close()
        os.close(self.busy)


def _confined_command(arguments: list[str], backbones: Path) -> list[str]:
    os.close(open_lock())  # only what is there can be allowed
    reads, writes = (str(backbones),), (lock_path(),)
    # It runs trusted networks only, so it answers where the system cannot confine it, too.
    limits = Limits(reads=reads, writes=writes, seconds=_LONG, tied=False, unconfined=True)
    module, rest = confined("ml.serving.server", [lock_path(), *arguments], limits)
    return [sys.executable, "-m", module, *rest]
