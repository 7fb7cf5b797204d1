"""Limit how often progress is written."""

import time

REPORT_SECONDS = 0.25  # between two writes: enough for a progress bar, and gentle on the database


class Throttle:
    """A limit that lets a write through every REPORT_SECONDS."""

    def __init__(self) -> None:
        self.last = 0.0

    def due(self) -> bool:
        """Return whether the next write is due, and start the next interval if so."""
        if time.monotonic() - self.last < REPORT_SECONDS:
            return False
        self.last = time.monotonic()
        return True
