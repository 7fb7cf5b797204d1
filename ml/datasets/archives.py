"""Walk an archive or a folder of labelled pictures, with one folder per class, without writing to disk.

| in the archive                                  | result                                               |
|-------------------------------------------------|------------------------------------------------------|
| `daisy/1.jpg`, `flower_photos/daisy/1.jpg`      | a picture of the class `daisy`: its immediate folder |
| `1.jpg`, `flower_photos/LICENSE.txt`            | refused: outside the class folders                   |
| hidden files, `Thumbs.db`, `__MACOSX/`, folders | skipped without a word                               |
| `../1.jpg`, `/etc/1.jpg`, drive letters,        | refused because of the name                          |
| control characters, overlong names              |                                                      |
| links, devices, nested archives, and files that | refused, each with a sentence                        |
| are encrypted, too large or damaged             |                                                      |
| an archive that is cut off                      | all files before the cut, then one entry that says so |

One bad file never stops the good ones. This module does not check whether a file is a picture.

`walk_archive` and `walk_folder` return an iterator that knows its `total`, for a progress bar: all names have to be
read first anyway, to find the class folders. A problem with the whole archive raises `ArchiveRejected` at the call,
before the first entry.
"""

import os
import stat
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ml.datasets.entries import (
    DEFAULT_LIMITS,
    IS_LINK,
    NOT_A_FILE,
    ArchiveEntry,
    ArchiveLimits,
    ArchiveMember,
    ArchiveRejected,
    ArchiveWalk,
    Survey,
    list_file,
    make_entry,
    too_large,
    too_many_bytes,
)
from ml.datasets.names import EntryRefused, Layout, is_litter, looks_like_archive
from ml.datasets.tar_archives import TAR_PACKINGS, walk_tar
from ml.datasets.zip_archives import ZipMember, list_zip, read_zip

__all__ = [
    "ArchiveEntry",
    "ArchiveLimits",
    "ArchiveRejected",
    "ArchiveWalk",
    "ZipMember",
    "list_archive",
    "looks_like_archive",
    "read_zip",
    "walk_archive",
    "walk_folder",
]

_TAR_SIGNATURE_AT = 257
_FOREIGN = (b"Rar!", b"7z\xbc\xaf\x27\x1c")


def walk_archive(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS) -> ArchiveWalk:
    """Walk the files of a zip (sorted by name) or of a tar (in its own order).

    Raise `ArchiveRejected` if nothing can be read.
    """
    members = list_archive(path, limits)
    return walk_tar(path, limits) if members is None else read_zip(path, members)


def list_archive(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS) -> list[ZipMember] | None:
    """List the files of a zip, or return None for a tar, which can only be read from its beginning to its end.

    The content decides which of the two it is, not the file name. Raise `ArchiveRejected` if it is neither, or a zip of
    which nothing can be read.
    """
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise ArchiveRejected("The file is empty.")
    if head.startswith(_FOREIGN):
        raise ArchiveRejected("RAR and 7z archives cannot be read. Make a zip.")
    is_tar = head.startswith(TAR_PACKINGS) or head.startswith(b"ustar", _TAR_SIGNATURE_AT)
    # A zip may have a program in front; an old tar has no signature at all.
    if not is_tar and (head.startswith(b"PK") or zipfile.is_zipfile(path)):
        return list_zip(path, limits)
    return None


def walk_folder(path: Path, limits: ArchiveLimits = DEFAULT_LIMITS) -> ArchiveWalk:
    """Walk the files below a folder, sorted by name, without following links.

    Raise `ArchiveRejected` if the limits are exceeded.
    """
    survey = Survey(limits)
    plan = sorted(_list_files(path, survey), key=lambda listed: listed.name)
    return ArchiveWalk.of_any_order(len(plan), partial(_entry, path, plan, survey.layout, limits))


def _list_files(root: Path, survey: Survey) -> Iterator[ArchiveMember]:
    pending = [""]
    size = 0
    while pending:
        below = pending.pop()
        children = _scan(root / below)
        if children is None:
            closed = ArchiveMember(below, (), "This folder cannot be opened.")
            survey.add(closed)
            yield closed
        for found in children or []:
            survey.count()
            name = os.path.join(below, found.name)
            if found.is_dir(follow_symlinks=False):
                pending += [] if is_litter(found.name) else [name]
                continue
            listed = list_file(name, _refusal(found, survey.limits), survey.limits)
            if listed is not None:
                survey.add(listed)
                size += found.stat(follow_symlinks=False).st_size if listed.refusal is None else 0
                yield listed
    if size > survey.limits.max_total_bytes:
        raise too_many_bytes(survey.limits)


def _scan(folder: Path) -> list[os.DirEntry[str]] | None:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return None


def _refusal(found: os.DirEntry[str], limits: ArchiveLimits) -> str | None:
    if found.is_symlink():
        return IS_LINK
    if not found.is_file(follow_symlinks=False):
        return NOT_A_FILE
    return too_large(limits) if found.stat(follow_symlinks=False).st_size > limits.max_file_bytes else None


def _entry(root: Path, plan: list[ArchiveMember], layout: Layout, limits: ArchiveLimits, place: int) -> ArchiveEntry:
    listed = plan[place]
    return make_entry(listed, layout, partial(_read, root / listed.name, limits), limits)


def _read(path: Path, limits: ArchiveLimits) -> bytes:
    """Read an ordinary file, checking it again because it may have changed since it was listed.

    Raise `EntryRefused` if it cannot be opened, is not an ordinary file any more, or has become too large.
    """
    try:
        # Neither through a link nor waiting at a pipe that has taken the file's place.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise EntryRefused(NOT_A_FILE)
            data = file.read(limits.max_file_bytes + 1)
    except OSError as error:
        raise EntryRefused("It cannot be opened.") from error
    if len(data) > limits.max_file_bytes:
        raise EntryRefused(too_large(limits))
    return data
