"""Represent a table that names pictures and their classes, and understand its columns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ml.datasets.picture_index import PictureIndex, is_web_address
from ml.datasets.vocabulary import fold, is_unlabelled, split_of, words

MANY = "\x1f"  # between the labels of a picture that has several

MOST_LABELS = 1000  # of one picture; who has more has too many in any case
_SAMPLE = 500  # rows that are looked at to find out what the columns are
_MOST_COLUMNS = 5000
_MOST_CELLS = 20_000_000  # also counting those that short rows lack: one long row must not make all others as long
_FILES = words(
    "file_name filename file filepath file_path path image_path imagepath img_path image_name imagename"
    " image_file image_url imageurl url uri image_uri imagegcsuri gcs_file_path source_ref image img picture"
    " photo image_id imageid img_name fname name id"
)
_LABELS = words(
    "class_name classname label_name labelname category_name label class category classes labels choice"
    " choices tag tags target classification species breed diagnosis finding_label true_label ground_truth"
    " display_name label_id class_id category_id y"
)
_SPLITS = words("split set subset partition usage ml_use mluse phase dataset data_set data_split data_type purpose")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_ONE_HOT = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


class Row(NamedTuple):
    """A line: the file as the table writes it, its labels, and its split or ""."""

    file: str
    labels: tuple[str, ...]
    split: str


@dataclass(frozen=True)
class Table:
    """A table that has been understood.

    Attributes:
        name: the path of its file.
        columns: the columns that might be the class, the one that was taken first; one or none if there is no doubt.
        unread_split: a column that is called as if it had splits, but has none that are known; or "".
    """

    name: str
    rows: list[Row]
    columns: tuple[str, ...] = ()
    unread_split: str = ""


@dataclass
class Grid:
    """Cells with a header, which is empty if the file has none."""

    header: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def column(self, place: int) -> list[str]:
        return [row[place].strip() if place < len(row) else "" for row in self.rows]


def understand_grid(name: str, grid: Grid, index: PictureIndex, wanted: str = "") -> Table | None:
    """Return the table that a grid is, or None if no column names files.

    Args:
        wanted: the column of the class, if somebody chose one.
    """
    width = min(max((len(row) for row in grid.rows[:_SAMPLE]), default=0), most_columns(len(grid.rows)))
    sample = Grid(grid.header, grid.rows[:_SAMPLE])
    file = _find_files(sample, width, index)
    if file is None:
        return None
    split = _find_splits(sample, width, file)
    rest = [place for place in range(width) if place not in (file, split)]
    splits = [split_of(value) for value in grid.column(split)] if split is not None else [""] * len(grid.rows)
    labels, columns = _find_labels(grid, rest, wanted)
    rows = [Row(*row) for row in zip(grid.column(file), map(_real_labels, labels), splits, strict=True) if row[0]]
    return Table(name, rows, columns, _unread_split(grid, width) if split is None else "")


def most_columns(rows: int) -> int:
    """Return how many columns of a table with so many rows are looked at."""
    return min(_MOST_COLUMNS, max(2, _MOST_CELLS // max(1, rows)))


def _unread_split(grid: Grid, width: int) -> str:
    called = ("split", "subset", "partition", "ml_use", "data_split")
    return next((grid.header[place] for place in range(width) if _folded(grid, place) in called), "")


def _real_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(label for label in labels if not is_unlabelled(label))


def is_column(name: str) -> bool:
    """Return whether a name is one that columns of files, classes or splits have."""
    folded = _fold_column(name)
    return any(folded in names or folded.removesuffix("s") in names for names in (_FILES, _LABELS, _SPLITS))


def _folded(grid: Grid, place: int) -> str:
    """Return a column's name as the lists above have it: ClassId is class_id."""
    return _fold_column(grid.header[place]) if place < len(grid.header) else ""


def _fold_column(name: str) -> str:
    return fold(_CAMEL.sub("_", name))


def _find_files(grid: Grid, width: int, index: PictureIndex) -> int | None:
    """Find the column that names most of the pictures, else the one of web addresses, else the one called so."""
    known = [_count_known(grid, place, index) for place in range(width)]
    if any(known):
        return max(range(width), key=lambda place: (known[place], -_rank(_FILES, _folded(grid, place))))
    addresses = [sum(is_web_address(value) for value in grid.column(place)) for place in range(width)]
    if any(addresses):
        return addresses.index(max(addresses))
    named = [place for place in range(width) if _folded(grid, place) in _FILES]
    return min(named, key=lambda place: _rank(_FILES, _folded(grid, place)), default=None)


def _count_known(grid: Grid, place: int, index: PictureIndex) -> int:
    """Count the cells of a column that name pictures; 3 may as well be a class or a measure as mean 3.jpg."""
    name = _folded(grid, place)
    values = grid.column(place)
    if name in _LABELS or (name and name not in _FILES and all(map(_NUMBER.fullmatch, values))):
        return 0
    return sum(index.knows(value) for value in values)


def _rank(words: list[str], word: str) -> int:
    return words.index(word) if word in words else len(words)


def _find_splits(grid: Grid, width: int, file: int) -> int | None:
    """Find a column that is called so and has splits, or has nothing else."""
    for place in range(width):
        values = [value for value in grid.column(place) if value]
        if place == file or not values or _folded(grid, place) in _LABELS:
            continue
        good = sum(bool(split_of(value)) or fold(value) in ("unassigned", "none") for value in values)
        if good == len(values) and any(map(split_of, values)):
            return place
        if _folded(grid, place) in _SPLITS and good >= len(values) / 2:
            return place
    return None


def _find_labels(grid: Grid, rest: list[int], wanted: str) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Return the labels of each row, and the columns that they might be in."""
    if wanted:
        known = [place for place in rest if place < len(grid.header)]
        chosen = [
            p for p in known if wanted.strip() == grid.header[p].strip() or _fold_column(wanted) == _folded(grid, p)
        ]
        return (_labels_of(grid, chosen[0]), (wanted,)) if chosen else ([()] * len(grid.rows), ())
    named = sorted((p for p in rest if _folded(grid, p) in _LABELS), key=lambda p: _rank(_LABELS, _folded(grid, p)))
    named = [place for place in named if any(grid.column(place))]
    if not named and len(rest) > 1 and (hot := _one_hot(grid, rest)) is not None:
        return hot, ()
    candidates = _unlike(grid, named) if named else [place for place in rest if _may_be_labels(grid, place, len(rest))]
    if not candidates:
        return [()] * len(grid.rows), ()
    if not grid.header:  # Vertex AI's: the labels follow the file
        words = [place for place in candidates[1:] if not any(_NUMBER.fullmatch(value) for value in grid.column(place))]
        columns = [grid.column(place) for place in (candidates[0], *words)]
        return [tuple(dict.fromkeys(filter(None, cells))) for cells in zip(*columns, strict=True)], ()
    return _labels_of(grid, candidates[0]), tuple(
        grid.header[place] for place in candidates if place < len(grid.header)
    )


def _labels_of(grid: Grid, place: int) -> list[tuple[str, ...]]:
    return [tuple(part for part in value.split(MANY) if part) for value in grid.column(place)]


def _unlike(grid: Grid, places: list[int]) -> list[int]:
    """Leave out columns that say the same as the first in other words, such as numbers beside names."""
    first = grid.column(places[0])
    count = len(set(first))
    others = [p for p in places[1:] if len(set(zip(first, grid.column(p), strict=True))) > max(count, 1)]
    return [places[0], *others]


def _one_hot(grid: Grid, rest: list[int]) -> list[tuple[str, ...]] | None:
    """Return the labels of a table with a column of 0 and 1 for each class, as Roboflow writes it."""
    columns = [[_ONE_HOT.get(value.lower()) for value in grid.column(place)] for place in rest]
    if not grid.header or any(value is None for column in columns for value in column):
        return None
    if not any(any(column) for column in columns):
        return None
    names = [grid.header[place].strip() if place < len(grid.header) else "" for place in rest]
    return [tuple(name for name, on in zip(names, row, strict=True) if on) for row in zip(*columns, strict=True)]


def _may_be_labels(grid: Grid, place: int, choices: int) -> bool:
    """Return whether a column without a telling name has a few values that come again and again."""
    values = [value for value in grid.column(place)[:_SAMPLE] if value]
    if not values or any(is_web_address(value) for value in values):
        return False
    if choices == 1:
        return True
    fractions = sum(bool(re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", value)) for value in values)
    return len(set(values)) <= max(2, len(values) // 2) and fractions < len(values)


def name_numbers(rows: Sequence[Row], names: dict[str, str]) -> list[Row]:
    """Return the rows with the names of classes that are numbers, if all of these have one."""
    used = {label for row in rows for label in row.labels}
    if not used or not used <= names.keys():
        return list(rows)
    return [row._replace(labels=tuple(names[label] for label in row.labels)) for row in rows]
