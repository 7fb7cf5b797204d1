"""Define where the output of a command goes."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Console:
    """The output of a command: lines of results, warnings, and progress, which a terminal shows in place."""

    say: Callable[[str], None]
    warn: Callable[[str], None]
    progress: Callable[[str, int, int], None]

    def as_loud_as(self, verbosity: str) -> "Console":
        """Return a console for a level of --logging_verbosity; results and failures are always shown."""
        if verbosity in ("DEBUG", "INFO"):
            return self
        quiet = Console(self._results_only, self.warn, lambda what, done, total: None)
        return quiet if verbosity == "WARN" else Console(quiet.say, lambda line: None, quiet.progress)

    def _results_only(self, line: str) -> None:
        if not line.startswith(("Step ", "Opening ")) and not line.endswith("bottleneck files created."):
            self.say(line)
