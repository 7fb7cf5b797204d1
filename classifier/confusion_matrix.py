"""The confusion matrix as a page shows it: a table of numbers for few classes, a heat map for many."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from classifier.services.evaluations import Evaluated

MOST_IN_TABLE = 25  # classes
PAIRS = 20  # that are listed
SHADES = 10
LONGEST_NAME = 24  # of a class, in a file


@dataclass(frozen=True)
class Cell:
    """How many pictures of a class were predicted as another one, or as itself; classes are ids."""

    true: int
    predicted: int
    count: int
    shade: int  # by the share of the pictures of the true class
    right: bool
    words: str


@dataclass(frozen=True)
class Row:
    name: str
    cells: list[Cell]
    recall: float | None
    precision: float | None


def _errors(found: Evaluated) -> list[int]:
    counts = [0] * len(found.names)
    for true, taken, count in found.summary.confusions:
        counts[true] += count
        counts[taken] += count
    return counts


def _by_errors(found: Evaluated) -> list[int]:
    counts = _errors(found)
    return sorted(range(len(counts)), key=lambda place: -counts[place])


ORDERS: Mapping[str, tuple[str, Callable[[Evaluated], list[int]]]] = {
    "likeness": ("Similar classes together", lambda found: found.summary.order_by_likeness),
    "errors": ("Most errors first", _by_errors),
    "name": ("By name", lambda found: sorted(range(len(found.names)), key=lambda p: found.names[p].casefold())),
    "trained": ("As trained", lambda found: list(range(len(found.names)))),
}


def default_order(found: Evaluated) -> str:
    """Return the order where nobody has chosen one: of few classes that which people know."""
    return "trained" if len(found.names) <= 5 else "likeness"


def list_rows(found: Evaluated, order: str) -> list[Row]:
    """Return the rows of the table."""
    places = ORDERS[order][1](found)
    counts = {(true, taken): count for true, taken, count in found.summary.confusions}
    counts |= {(place, place): one.hits for place, one in enumerate(found.summary.classes)}
    return [_row(found, true, places, counts) for true in places]


def _row(found: Evaluated, true: int, places: list[int], counts: dict[tuple[int, int], int]) -> Row:
    scores = found.summary.classes[true]
    cells = [_cell(found, true, taken, counts.get((true, taken), 0)) for taken in places]
    return Row(found.names[true], cells, scores.recall, scores.precision)


def _cell(found: Evaluated, true: int, taken: int, count: int) -> Cell:
    pictures = "1 picture" if count == 1 else f"{count:,} pictures"
    words = f"{pictures} of {found.names[true]} taken for {found.names[taken]}"
    shade = _shade(count, found.summary.classes[true].n)
    return Cell(found.classes[true], found.classes[taken], count, shade, true == taken, words)


def _shade(count: int, whole: int) -> int:
    return max(round(SHADES * count / whole), 1) if count and whole else 0


def list_pairs(found: Evaluated) -> list[Cell]:
    """List what is taken for what most often."""
    return [_cell(found, true, taken, count) for true, taken, count in found.summary.confusions[:PAIRS]]


def draw_heat_map(found: Evaluated, order: str) -> dict[str, Any]:
    """Return a path for each shade, a square of side 1 for each cell, and what a script needs to name the cells."""
    places = ORDERS[order][1](found)
    at = {place: rank for rank, place in enumerate(places)}
    squares: dict[str, list[str]] = {}
    cells = [(place, place, one.hits) for place, one in enumerate(found.summary.classes) if one.hits]
    everything = [*cells, *found.summary.confusions]
    for true, taken, count in everything:
        css = f"{'right' if true == taken else 'off'} shade-{_shade(count, found.summary.classes[true].n)}"
        squares.setdefault(css, []).append(f"M{at[taken]} {at[true]}h1v1h-1z")
    few, margin = len(places) <= MOST_IN_TABLE, min(max(len(places) / 4, 1.5), 10.0)
    return {
        "size": len(places),
        # Of a file: the margin for the names of the classes, the side with it, and the size of letters.
        "margin": margin,
        "side": len(places) + margin,
        "label_size": min(0.6, margin / LONGEST_NAME * 1.7),
        "labels": [(rank + 0.5, found.names[place][:LONGEST_NAME]) for rank, place in enumerate(places)],
        "numbers": [(at[taken] + 0.5, at[true] + 0.5, n) for true, taken, n in everything] if few else [],
        "paths": [(css, "".join(drawn)) for css, drawn in sorted(squares.items())],
        "script": {
            "names": [found.names[place] for place in places],
            "ids": [found.classes[place] for place in places],
            "counts": {f"{at[true]},{at[taken]}": n for true, taken, n in everything},
        },
    }
