"""Read tables in CSV, TSV and plain lists, and CVAT's XML."""

import csv
import io
import re
from collections import Counter
from itertools import islice
from xml.parsers import expat

from ml.datasets.json_tables import MOST_RECORDS, BadTable
from ml.datasets.name_encodings import decode_name, judge_names
from ml.datasets.picture_index import PictureIndex, is_web_address
from ml.datasets.tables import MOST_LABELS, Grid, Row, Table, understand_grid
from ml.datasets.vocabulary import split_of

_DELIMITERS = ",\t;|"
_TOLD_SEPARATOR = re.compile(r"sep=([,;\t|])\r?\n")  # as Excel tells itself
_CELLS = re.compile(rb"[\r\n,;\t\"]+")  # separators that are no part of a longer character in any encoding
_LONGEST_JUDGED = 10_000  # bytes
_LOOKED_AT = 30  # lines, to find out what separates the columns


def decode_text(raw: bytes) -> str:
    """Return the text of a file in UTF-8, UTF-16 or the code page that fits it best."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        cells = (cell for cell in _CELLS.split(raw) if not cell.isascii() and len(cell) <= _LONGEST_JUDGED)
        return decode_name(raw, judge_names(cells).encoding)


def read_text_table(name: str, text: str, index: PictureIndex, wanted: str = "") -> Table | None:
    """Return the table in a text with a separator, or None if it names no pictures. Raise `BadTable`."""
    told = _TOLD_SEPARATOR.match(text)
    text = text[told.end() :] if told else text
    lines = [line for line in text.splitlines()[:_LOOKED_AT] if line.strip() and not line.startswith("#")]
    if not lines:
        return None
    separator = told[1] if told else _separator(lines, index)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=False)
        rows = [row for row in islice(reader, MOST_RECORDS) if any(row) and not row[0].startswith("#")]
    except csv.Error as error:
        raise BadTable("It is not a table.") from error
    if not rows:
        return None
    grid = Grid(rows[0], rows[1:]) if not _names_a_file(rows[0], index) else Grid([], rows)
    return understand_grid(name, grid, index, wanted) if grid.rows else None


def _separator(lines: list[str], index: PictureIndex) -> str:
    """Find what separates the columns: the sign that all lines have equally often."""
    counts = {sign: Counter(line.count(sign) for line in lines) for sign in _DELIMITERS}
    regular = {sign: max(count.values()) for sign, count in counts.items() if count.most_common(1)[0][0]}
    if regular:
        return max(regular, key=lambda sign: (regular[sign], -_DELIMITERS.index(sign)))
    # A list such as ImageNet's: a path, a space, a number. A path may have spaces of its own.
    return " " if all(index.knows(line.split(" ")[0]) for line in lines if " " in line) else ","


def _names_a_file(cells: list[str], index: PictureIndex) -> bool:
    return any(index.knows(cell) or is_web_address(cell.strip()) or "://" in cell for cell in cells)


def read_name_lines(text: str) -> dict[str, str]:
    """Return the names of numbered classes in a list of names, one a line, by number."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return {str(number): line for number, line in enumerate(lines[:10_000])}


def read_cvat(name: str, text: str) -> Table | None:
    """Return the table in CVAT's XML: the tags of each picture, or the labels of its boxes. Raise `BadTable`."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BadTable("It has declarations, which are not read.")
    rows: list[Row] = []
    tags: dict[str, None] = {}

    def begin(element: str, attributes: dict[str, str]) -> None:
        if element == "image":
            tags.clear()
            rows.append(Row(attributes.get("name", ""), (), split_of(attributes.get("subset", ""))))
        elif rows and "label" in attributes and len(tags) < MOST_LABELS:
            tags[attributes["label"]] = None
            rows[-1] = rows[-1]._replace(labels=tuple(tags))
        if len(rows) > MOST_RECORDS:
            raise BadTable("It is too long.")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise BadTable("It is not XML.") from error
    return Table(name, rows) if rows else None


def split_joined_labels(rows: list[Row]) -> list[Row]:
    """Take a label such as cat|dog apart where cat and dog are labels of other rows."""
    single = {row.labels[0] for row in rows if len(row.labels) == 1}
    return [_split_joined(row, single) for row in rows]


def _split_joined(row: Row, single: set[str]) -> Row:
    if len(row.labels) != 1:
        return row
    for sign in ("|", ";", ",", " "):
        parts = [part.strip() for part in row.labels[0].split(sign) if part.strip()]
        if len(parts) > 1 and all(part in single for part in parts):
            return row._replace(labels=tuple(dict.fromkeys(parts)))
    return row
