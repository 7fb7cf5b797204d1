"""What the inference servers are at right now, so that one that works alone can use all cores, and whose turn it is."""

import mmap
import os
import tempfile
import time

import numpy as np

SLOTS = 64
_BYTES = SLOTS * (8 + 8)
STALE_SECONDS = 60.0  # a server that has been at work for longer was ended at it


class BusyTimes:
    """When each server began the picture in hand, and its ticket; 0 for one that is idle.

    The memory is shared by its descriptor.
    """

    def __init__(self, descriptor: int) -> None:
        memory = mmap.mmap(descriptor, _BYTES)
        self._since = np.frombuffer(memory, np.float64, SLOTS)
        self._tickets = np.frombuffer(memory, np.uint64, SLOTS, SLOTS * 8)

    def begin(self, slot: int, ticket: int) -> None:
        """Note that the server with this slot starts to work."""
        self._tickets[slot] = ticket
        self._since[slot] = time.monotonic()  # one clock for all processes of a machine

    def end(self, slot: int) -> None:
        """Note that it has finished."""
        self._since[slot], self._tickets[slot] = 0, 0

    def has_begun(self, ticket: int) -> bool:
        """Return whether a server is at work on the picture with this ticket."""
        return bool((self._tickets == np.uint64(ticket)).any())

    def alone(self, slot: int) -> bool:
        """Return whether no other server is at work."""
        others = self._since > time.monotonic() - STALE_SECONDS
        others[slot] = False
        return not others.any()


def make_shared_memory() -> int:
    """Return a descriptor of memory for `BusyTimes`: a file without a name, so that processes can be given it."""
    with tempfile.TemporaryFile() as file:
        file.truncate(_BYTES)
        return os.dup(file.fileno())
