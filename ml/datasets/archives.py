"""Walk an archive or a folder of labelled pictures after a plan, without writing to disk.

Which class a file belongs to is the plan's to say (`ml.datasets.planner`). Beside that:

| in the archive                                  | result                                          |
|-------------------------------------------------|-------------------------------------------------|
| hidden files, `Thumbs.db`, `@eaDir/`, folders   | passed over, counted in the plan                |
| `../1.jpg`, `/etc/1.jpg`, drive letters,        | refused because of the name                     |
| control characters, overlong names              |                                                 |
| links, devices, nested archives, and files that | refused, each with a sentence                   |
| are encrypted, too large or damaged             |                                                 |
| an archive that is cut off                      | all files before the cut, then one that says so |

One bad file never stops the good ones. This module does not check whether a file is a picture.

A problem with the whole archive raises `ArchiveRejected` when it is listed, before the first entry.
"""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ml.datasets.entries import (
    DEFAULT_LIMITS,
    ArchiveEntry,
    ArchiveLimits,
    ArchiveRejected,
    ArchiveWalk,
)
from ml.datasets.evidence import Listing
from ml.datasets.file_names import TABLE, kind_of_file
from ml.datasets.folder_files import FileListing, list_folder, list_single_file
from ml.datasets.name_encodings import NameEncoding
from ml.datasets.names import CAN_READ_ZSTD, NO_RAR_NOR_7Z, NO_ZSTD, looks_like_archive
from ml.datasets.plan import Option, Plan, Question, show_some
from ml.datasets.planner import make_plan
from ml.datasets.readings import Layout
from ml.datasets.tar_archives import TAR_PACKINGS, ZSTD, list_tar, read_tar
from ml.datasets.zip_archives import ZipMember, list_zip, read_zip

__all__ = [
    "ArchiveEntry",
    "ArchiveLimits",
    "ArchiveRejected",
    "ArchiveWalk",
    "Opened",
    "ZipMember",
    "looks_like_archive",
    "open_archive",
    "open_folder",
    "open_listing",
    "open_path",
    "read_zip",
    "walk_archive",
    "walk_folder",
]

_TAR_SIGNATURE_AT = 257
_FOREIGN = (b"Rar!", b"7z\xbc\xaf\x27\x1c")
_AUTO = Layout()


@dataclass(frozen=True)
class Opened:
    """An archive or a folder whose files are listed, with its plan.

    Attributes:
        walk: reads the files.
        zip_members: gives what is needed to read a zip part by part; None for what can only be read in one go.
    """

    plan: Plan
    walk: Callable[[], ArchiveWalk]
    zip_members: Callable[[], list[ZipMember]] | None = None


def open_path(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS, layout: Layout = _AUTO) -> Opened:
    """List a folder, an archive or a single table and plan it. Raise `ArchiveRejected`, `BadLayout`, `OSError`."""
    if path.is_file() and kind_of_file(path.name) == TABLE:
        return open_listing(list_single_file(path, limits), layout)
    return (open_folder if path.is_dir() else open_archive)(path, limits, layout)


def open_archive(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS, layout: Layout = _AUTO) -> Opened:
    """List an archive and plan it: a zip (sorted by name) or a tar (in its own order).

    The content decides which of the two it is, not the file name. Raise `ArchiveRejected` if nothing can be read, and
    `BadLayout`.
    """
    return _open_zip(path, limits, layout) if _is_zip(path) else _open_tar(path, limits, layout)


def _is_zip(path: Path) -> bool:
    if path.exists() and not path.is_file():
        raise ArchiveRejected("This is neither a folder nor an ordinary file.")
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise ArchiveRejected("The file is empty.")
    if head.startswith(_FOREIGN):
        raise ArchiveRejected(NO_RAR_NOR_7Z)
    if head.startswith(ZSTD) and not CAN_READ_ZSTD:
        raise ArchiveRejected(NO_ZSTD)
    is_tar = head.startswith(TAR_PACKINGS) or head.startswith(b"ustar", _TAR_SIGNATURE_AT)
    # A zip may have a program in front; an old tar has no signature at all.
    return not is_tar and (head.startswith(b"PK") or zipfile.is_zipfile(path))


def _open_zip(path: Path, limits: ArchiveLimits, layout: Layout) -> Opened:
    listed = list_zip(path, limits, layout.encoding)
    plan = make_plan(Listing(listed.members, partial(listed.read, path), listed.litter), layout)
    if listed.encoding is not None and listed.encoding.candidates and not layout.encoding:
        _tell_encoding(plan, listed.encoding, layout)

    def members() -> list[ZipMember]:
        return listed.classify(plan.verdicts, limits)

    return Opened(plan, lambda: read_zip(path, members()).after(plan), members)


def _tell_encoding(plan: Plan, judged: NameEncoding, layout: Layout) -> None:
    """Show in which encoding the names were read, and ask where another would do as well."""
    best = judged.candidates[0]
    if judged.encoding != "utf-8":
        names = ", ".join(f"“{name}”" for name in best.examples)
        plan.warnings.append(
            f"The archive does not say how its names are written; they were read as {judged.encoding}: {names}."
        )
    if judged.is_doubtful:
        options = [
            Option(
                str(layout.with_encoding(found.encoding)),
                f"{', '.join(found.examples)} ({found.encoding})",
                show_some(plan.classes) if found is best else {},
            )
            for found in judged.candidates
        ]
        plan.questions.append(Question("encoding", "Which of these are the names as they are meant?", options))


def _open_tar(path: Path, limits: ArchiveLimits, layout: Layout) -> Opened:
    listed = list_tar(path, limits)
    plan = make_plan(Listing(listed.members, listed.read, listed.litter), layout)
    return Opened(plan, lambda: ArchiveWalk(listed.total, read_tar(path, plan.verdicts, limits), plan=plan))


def open_folder(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS, layout: Layout = _AUTO) -> Opened:
    """List the files below a folder, sorted by name, without following links, and plan them.

    Raise `ArchiveRejected` if the limits are exceeded, and `BadLayout`.
    """
    return open_listing(list_folder(path, limits), layout)


def open_listing(listed: FileListing, layout: Layout = _AUTO) -> Opened:
    """Plan files that are listed. Raise `BadLayout`."""
    plan = make_plan(Listing(listed.members, listed.read, listed.litter), layout)
    return Opened(plan, lambda: listed.walk(plan))


def walk_archive(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS, layout: Layout = _AUTO) -> ArchiveWalk:
    """Walk the files of an archive, whatever its plan asks. Raise as `open_archive`."""
    return open_archive(path, limits, layout).walk()


def walk_folder(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS, layout: Layout = _AUTO) -> ArchiveWalk:
    """Walk the files below a folder, whatever its plan asks. Raise as `open_folder`."""
    return open_folder(path, limits, layout).walk()
