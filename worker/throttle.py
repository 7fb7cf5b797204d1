"""How often progress is written."""

import time

REPORT_SECONDS = 0.25  # between two writes: a bar needs no more, a database wants no more


class Throttle:
    """Lets a write through every REPORT_SECONDS."""

    def __init__(self) -> None:
        self.last = 0.0

    def due(self) -> bool:
        if time.monotonic() - self.last < REPORT_SECONDS:
            return False
        self.last = time.monotonic()
        return True
