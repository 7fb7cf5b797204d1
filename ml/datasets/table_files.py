"""Find the tables among the files of a listing, read them within bounds, and look their pictures up."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ml.datasets.file_names import is_picture_sidecar
from ml.datasets.json_tables import BadTable, read_json_table, read_names
from ml.datasets.litter import Folders
from ml.datasets.picture_index import PictureIndex, is_web_address
from ml.datasets.plan import LeftOut
from ml.datasets.tables import MOST_LABELS, Row, Table, name_numbers
from ml.datasets.text_tables import decode_text, read_cvat, read_name_lines, read_text_table, split_joined_labels
from ml.datasets.vocabulary import fold, split_of, words

MAX_TABLE_BYTES = 32 * 2**20
_MOST_BYTES = 64 * 2**20
_MOST_TABLES = 24
_MOST_IN_A_FOLDER = 24  # of one kind; more are one for each picture

_NAMES_OF_CLASSES = frozenset(
    words(
        "classes class_names classnames labels label_names labelnames synsets categories obj class_indices"
        " label_map label_num_to_disease_map idx_to_class class_to_idx label_to_name id2label"
    )
)
_NO_TRUTH = ("submission", "predict")  # Kaggle's examples of answers, and other people's answers


@dataclass(frozen=True)
class TableFile:
    """A file that may be a table. `read` returns its bytes."""

    name: str
    folders: Folders
    last: str
    size: int
    read: Callable[[], bytes]


@dataclass
class TableLabels:
    """What tables say of the pictures, by the picture's place.

    Attributes:
        names, useless: the tables that name pictures, and those that name none.
        columns: of a table whose class could be in several, with the table's name.
        to_fetch: rows whose pictures are at web addresses.
        left_out: what tables name and is not there.
    """

    labels: dict[int, tuple[str, ...]] = field(default_factory=dict)
    splits: dict[int, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    useless: list[str] = field(default_factory=list)
    columns: tuple[str, tuple[str, ...]] = ("", ())
    unread_splits: list[str] = field(default_factory=list)  # columns
    to_fetch: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def read_tables(files: Sequence[TableFile], index: PictureIndex, wanted: str = "") -> TableLabels:
    """Read the tables among these files. `wanted` is FILE or FILE#COLUMN: then only that one is read."""
    wanted_file, _, column = wanted.partition("#")
    chosen = _choose(files, index)
    if wanted_file:
        chosen = [file for file in files if wanted_file in (file.name, file.last)][:1]
    texts, found = _read_all(chosen), TableLabels()
    numbers = {} if not texts else _numbered_names(texts, index)
    for file, text in texts:
        if _only_numbers_classes(file, text, index):
            continue
        table = _read_table(file, text, index, column)
        if table is not None and table.rows:
            _add(found, file, table, index, numbers)
        elif table is None and not _is_names_file(file):
            found.useless.append(file.name)
    return found


def _choose(files: Sequence[TableFile], index: PictureIndex) -> list[TableFile]:
    """Leave out files that describe one picture each, examples of answers and what is too large; the topmost first."""
    crowds = Counter((file.folders, file.last.rpartition(".")[2].lower()) for file in files)
    stems = frozenset(last.rpartition(".")[0].lower() for _, last in index.pictures)
    kept = [
        file
        for file in files
        if file.size <= MAX_TABLE_BYTES
        and crowds[file.folders, file.last.rpartition(".")[2].lower()] <= _MOST_IN_A_FOLDER
        and not is_picture_sidecar(file.last, stems)
        and not any(word in fold(file.last) for word in _NO_TRUTH)
    ]
    return sorted(kept, key=lambda file: (len(file.folders), file.name))[:_MOST_TABLES]


def _read_all(files: Sequence[TableFile]) -> list[tuple[TableFile, str]]:
    texts, size = [], 0
    for file in files:
        size += file.size
        if size > _MOST_BYTES:
            break
        try:
            texts.append((file, decode_text(file.read())))
        except ValueError:  # what refuses an entry is one
            continue
    return texts


def _stem(file: TableFile) -> str:
    return file.last.rpartition(".")[0]


def _ending(file: TableFile) -> str:
    return file.last.rpartition(".")[2].lower()


def _is_names_file(file: TableFile) -> bool:
    return fold(_stem(file)) in _NAMES_OF_CLASSES


def _numbered_names(texts: list[tuple[TableFile, str]], index: PictureIndex) -> dict[str, str]:
    """Return the names of numbered classes, from the first file that is called so and holds some."""
    for file, text in texts:
        if _is_names_file(file) and _ending(file) in ("txt", "json", "lst"):
            names = read_names(text) if _ending(file) == "json" else read_name_lines(text)
            if names and not any(index.knows(name.split(" ")[0]) for name in list(names.values())[:20]):
                return names
    return {}


def _only_numbers_classes(file: TableFile, text: str, index: PictureIndex) -> bool:
    """Return whether a JSON file gives names to numbers, and not classes to pictures called by numbers."""
    numbered = read_names(text) if _is_names_file(file) and _ending(file) == "json" else {}
    return bool(numbered) and len(numbered) < len(index.pictures) / 2


def _read_table(file: TableFile, text: str, index: PictureIndex, column: str) -> Table | None:
    try:
        if _ending(file) == "xml":
            return read_cvat(file.name, text)
        if text.lstrip()[:1] in ("{", "["):
            return read_json_table(file.name, text, index, column)
        return read_text_table(file.name, text, index, column)
    except BadTable:
        return None


def _add(found: TableLabels, file: TableFile, table: Table, index: PictureIndex, numbers: dict[str, str]) -> None:
    """Add what a table says of the pictures that are there, and note those that are not."""
    rows = split_joined_labels(name_numbers(table.rows, numbers))
    own_split = split_of(_stem(file)) or next((s for part in reversed(file.folders) if (s := split_of(part))), "")
    missing, matched = LeftOut(f"“{file.name}” names it, but it is not there."), 0
    for row in rows:
        place = index.find(row.file, file.folders, own_split)
        if place is not None:
            matched += 1
            _note(found, place, row, row.split or own_split)
        elif is_web_address(row.file):
            found.to_fetch.append(row._replace(split=row.split or own_split))
        else:
            missing.add(row.file[:300])
    if not matched and not any(is_web_address(row.file) for row in rows[:100]):
        found.useless.append(file.name)
        return
    found.names.append(file.name)
    if table.unread_split:
        found.unread_splits.append(table.unread_split)
    if len(table.columns) > 1 and not found.columns[1]:
        found.columns = (file.name, table.columns)
    if missing.count:
        found.left_out.append(missing)


def _note(found: TableLabels, place: int, row: Row, split: str) -> None:
    known = found.labels.get(place, ())
    if row.labels and len(known) < MOST_LABELS:  # some repeat the line for each class of a picture
        found.labels[place] = tuple(dict.fromkeys((*known, *row.labels)))
    if split:
        found.splits.setdefault(place, split)
