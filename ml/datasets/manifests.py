"""Read the manifest beside the pictures of a download: it says of each what folders and names cannot.

A class may be called `test` or `a/b`, two pictures may have had one name, and groups are in no folder. The manifest has
the names as they were, so that a download that is brought in again gives the same classes, splits, groups and names.
"""

import csv
import io
import unicodedata
from dataclasses import dataclass, field

from ml.datasets.cells import plain_cell
from ml.datasets.class_names import has_control
from ml.datasets.entries import ArchiveMember
from ml.datasets.evidence import Evidence
from ml.datasets.groups import SAME_PHOTO, clean_group
from ml.datasets.litter import Folders
from ml.datasets.names import split_name
from ml.datasets.splits import SPLITS
from ml.datasets.text_tables import decode_text

NAME, LEFT_OUT = "manifest.csv", "LEFT_OUT.txt"
COLUMNS = ("file", "label", "split", "group", "sha256", "width", "height", "uploaded_by", "uploaded_at", "file_name")
_COPIES = (
    "copies of picture"  # what a group of the same photo is called elsewhere, where other pictures have its number
)


@dataclass(frozen=True)
class ManifestLine:
    """What the manifest says of a picture. `label` is "" of one without a class, `file_name` its name when it came."""

    label: str
    split: str
    group: str
    file_name: str


@dataclass
class Manifest:
    """The lines by the places of the pictures among the listing's members.

    Attributes:
        folders: the class and split of the pictures of each folder, for those that somebody has added there.
        missing: paths that it names and that are not there.
    """

    name: str
    lines: dict[int, ManifestLine] = field(default_factory=dict)
    folders: dict[Folders, ManifestLine] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def read_manifest(evidence: Evidence) -> Manifest | None:
    """Return the manifest among the files, or None if there is none that was written here."""
    found = [file for file in evidence.table_files if file.last == NAME]
    for file in sorted(found, key=lambda file: len(file.folders))[:1]:
        try:
            rows = csv.reader(io.StringIO(decode_text(file.read()), newline=""), strict=True)
            if tuple(next(rows, ())) == COLUMNS:
                return _match(file.name, file.folders, list(rows), evidence)
        except (ValueError, csv.Error):  # what refuses an entry is a ValueError
            return None
    return None


def _match(name: str, beside: Folders, rows: list[list[str]], evidence: Evidence) -> Manifest:
    members = evidence.listing.members
    places = {_key(_path(members[place])): place for place in evidence.pictures}
    manifest = Manifest(name)
    for row in rows:
        if len(row) != len(COLUMNS):
            continue
        folders, last = split_name(row[0])
        place = places.get(_key((*beside, *folders, last)))
        line = _read_line(row)
        if place is None:
            manifest.missing.append(row[0][:300])
            continue
        manifest.lines[place] = line
        manifest.folders.setdefault(members[place].folders, ManifestLine(line.label, line.split, "", ""))
    return manifest


def _path(member: ArchiveMember) -> Folders:
    return (*member.folders, member.last)


def _key(path: Folders) -> str:
    """Return what is the same on all systems: some take names apart into letters and accents."""
    return unicodedata.normalize("NFC", "/".join(path))


def _read_line(row: list[str]) -> ManifestLine:
    cells = dict(zip(COLUMNS, map(plain_cell, row), strict=True))
    split = cells["split"] if cells["split"] in SPLITS else ""
    group = cells["group"].replace(SAME_PHOTO, _COPIES, 1) if cells["group"].startswith(SAME_PHOTO) else cells["group"]
    return ManifestLine(cells["label"], split, "" if has_control(group) else clean_group(group), cells["file_name"])
