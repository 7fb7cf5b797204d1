"""Tables of figures, for a page, and to take away as CSV or JSON."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from classifier.percentages import as_percent
from ml.datasets.cells import protect_cell

Cell = str | float | int | None


@dataclass(frozen=True)
class Column:
    name: str  # in files
    title: str
    is_share: bool = False


@dataclass(frozen=True)
class Table:
    """A table; shares are from 0 to 1, and what is not known is None."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def as_records(self) -> list[dict[str, Cell]]:
        """Return a dictionary for each row. Columns of the same name, as classes may have it, get a number each."""
        names = _tell_apart([column.name for column in self.columns])
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def as_csv(self) -> str:
        """Return the table as CSV, of which a spreadsheet runs no cell as a formula."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([protect_cell(column.name) for column in self.columns])
        writer.writerows([_write_cell(cell) for cell in row] for row in self.rows)
        return text.getvalue()

    def shown_rows(self) -> list[list[str]]:
        """Return the rows as a page shows them."""
        return [[_show(column, cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows]


def _tell_apart(names: list[str]) -> list[str]:
    """Add a number to a name that is there before, so that none hides another."""
    found: dict[str, None] = {}
    for name in names:
        free = (f"{name} ({number})" for number in count(2))
        found[next(one for one in chain([name], free) if one not in found)] = None
    return list(found)


def _write_cell(cell: Cell) -> Any:
    if cell is None:
        return ""
    return protect_cell(cell) if isinstance(cell, str) else cell


def _show(column: Column, cell: Cell) -> str:
    if cell is None:
        return "–"
    if column.is_share:
        return as_percent(float(cell))
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
