"""Where the words of a command go."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Talk:
    """Lines of results, warnings, and progress, which a terminal shows in place."""

    say: Callable[[str], None]
    warn: Callable[[str], None]
    progress: Callable[[str, int, int], None]
