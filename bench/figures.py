"""Define a figure and its limit, and measure the two in alternation."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Any

Seconds = Callable[[], float]  # runs something and returns the seconds per unit


@dataclass(frozen=True)
class Figure:
    """A measured value beside its limit, with the target for their ratio and whether it was met."""

    name: str
    value: float
    unit: str
    limit: float
    ratio: float
    target: str
    ok: bool
    stolen: float = 0.0  # the share of the processors' time that other machines took meanwhile

    def as_dict(self) -> dict[str, Any]:
        """Return the fields with rounded numbers, for results.json."""
        shown = {name: round(number, 4) for name, number in asdict(self).items() if isinstance(number, float)}
        return {**asdict(self), **shown}


@dataclass(frozen=True)
class Comparison:
    """The medians over the rounds, in seconds; `shares` are limit / real of each round."""

    real: float
    limit: float
    shares: list[float]

    @property
    def share(self) -> float:
        """Return the median of the shares."""
        return median(self.shares)

    @property
    def ratio(self) -> float:
        """Return how much longer it took than its limit, of the round in the middle.

        It differs from `real / limit` where the machine's speed changed between the rounds.
        """
        return 1 / self.share


def compare(
    real: Seconds, parts: Sequence[Sequence[Seconds]], *, rounds: int, before: Callable[[], None] = lambda: None
) -> Comparison:
    """Measure `real` in alternation with its limit: the sum of `parts`, each being the fastest of several ways.

    The machine's speed drifts, so each round's limit is the mean of what was measured just before and just after it.
    Which way of a part is the fastest is decided once, over all rounds: the best of many noisy measurements would be
    better than any machine. `before` is called before every measurement.
    """

    def measure(way: Seconds) -> float:
        before()
        return way()

    reals, limits = [], [[[measure(way) for way in part] for part in parts]]
    for _ in range(rounds):
        reals.append(measure(real))
        limits.append([[measure(way) for way in part] for part in parts])
    fastest = [_fastest([turn[place] for turn in limits]) for place in range(len(parts))]
    sums = [sum(turn[place][way] for place, way in enumerate(fastest)) for turn in limits]
    around = [(earlier + later) / 2 for earlier, later in pairwise(sums)]
    shares = [limit / took for limit, took in zip(around, reals, strict=True)]
    return Comparison(median(reals), median(around), shares)


def _fastest(turns: list[list[float]]) -> int:
    """Return the index of the way with the least median time."""
    middles = [median(turn[way] for turn in turns) for way in range(len(turns[0]))]
    return middles.index(min(middles))


def rate_figure(name: str, unit: str, found: Comparison, *, least: float) -> Figure:
    """Return a figure in units per second, which must reach at least the share `least` of the limit."""
    return Figure(
        name, 1 / found.real, unit, 1 / found.limit, found.share, f"ratio >= {least:.2f}", found.share >= least
    )


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a table in plain text."""
    rows = [("figure", "value", "unit", "limit", "ratio", "target", "", "stolen")]
    rows += [
        (
            figure.name,
            f"{figure.value:.4g}",
            figure.unit,
            f"{figure.limit:.4g}",
            f"{figure.ratio:.3f}",
            figure.target,
            "ok" if figure.ok else "MISSED",
            f"{figure.stolen:.1%}",
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
