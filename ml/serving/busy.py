"""Which inference servers are at work right now, so that one that works alone can use all cores."""

import mmap
import os
import tempfile
import time

import numpy as np

SLOTS = 64
STALE_SECONDS = 60.0  # a server that has been at work for longer was ended at it


class BusyTimes:
    """When each server began the picture in hand; 0 for one that is idle. The memory is shared by its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._since = np.frombuffer(mmap.mmap(descriptor, SLOTS * 8), np.float64)

    def begin(self, slot: int) -> None:
        """Note that the server with this slot starts to work."""
        self._since[slot] = time.monotonic()  # one clock for all processes of a machine

    def end(self, slot: int) -> None:
        """Note that it has finished."""
        self._since[slot] = 0

    def alone(self, slot: int) -> bool:
        """Return whether no other server is at work."""
        others = self._since > time.monotonic() - STALE_SECONDS
        others[slot] = False
        return not others.any()


def make_shared_memory() -> int:
    """Return a descriptor of memory for `BusyTimes`: a file without a name, so that processes can be given it."""
    with tempfile.TemporaryFile() as file:
        file.truncate(SLOTS * 8)
        return os.dup(file.fileno())
