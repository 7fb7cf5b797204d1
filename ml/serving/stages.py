"""How long the stages of an answer took, told to whoever has asked to hear it."""

import math
from collections.abc import Callable

DECODE, NETWORK, WAIT = "decode", "network", "wait"  # WAIT is for a turn, and on the way to a server and back
LONGEST = 600.0  # seconds that are believed

Listener = Callable[[str, float], None]
_listener: list[Listener] = [lambda stage, seconds: None]


def listen_to_stages(listener: Listener) -> None:
    """Let `listener` hear the name and the seconds of each stage from now on, in the whole process."""
    _listener[:] = [listener]


def tell_stage(stage: str, seconds: float) -> None:
    """Tell how long a stage took. What cannot be is kept quiet: a server may have been taken over by a picture."""
    if math.isfinite(seconds) and 0 <= seconds <= LONGEST:
        _listener[0](stage, seconds)
