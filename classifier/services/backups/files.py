"""The files of a backup: copied with their sha256, or listed where they stay in a bucket."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import default_storage
from pydantic import BaseModel, ValidationError

from classifier.services.backups.manifest import BackupRefused
from classifier.services.portable.checks import PIECE, hash_file, is_inside
from ml.files import open_atomically

LIST, FOLDER = "files.jsonl", "files"


class Entry(BaseModel, extra="forbid"):
    """A file of the default storage; `sha256` where it was copied, `etag` where a bucket has told it."""

    path: str
    size: int
    sha256: str = ""
    etag: str = ""


def copy_file(name: str, folder: Path) -> Entry:
    """Copy a file into the backup, unless an interrupted one has done so. Raise FileNotFoundError if it is gone."""
    target = folder / FOLDER / name
    if target.is_file() and target.stat().st_size == default_storage.size(name):
        return Entry(path=name, size=target.stat().st_size, sha256=hash_file(target))
    digest, size = hashlib.sha256(), 0
    with default_storage.open(name) as source, open_atomically(target, mode=0o600) as copy:
        for piece in source.chunks(PIECE):
            copy.write(piece)
            digest.update(piece)
            size += len(piece)
    return Entry(path=name, size=size, sha256=digest.hexdigest())


def list_file(name: str) -> Entry:
    """Tell size and ETag of a file that stays where it is. Raise FileNotFoundError if it is gone."""
    describe: Callable[[str], tuple[int, str]] | None = getattr(default_storage, "describe", None)
    size, etag = describe(name) if describe is not None else (default_storage.size(name), "")
    return Entry(path=name, size=size, etag=etag)


def read_list(folder: Path) -> Iterator[Entry]:
    """Yield the files of a backup. Raise BackupRefused for a line that nobody of us wrote."""
    with (folder / LIST).open(encoding="utf-8") as file:
        for line in file:
            try:
                entry = Entry(**json.loads(line))
            except (ValueError, TypeError, ValidationError):
                raise BackupRefused(f"The backup is damaged: {LIST} has a line that cannot be read.") from None
            if not is_inside(entry.path):
                raise BackupRefused("The backup names a file outside of the storage; nothing of it was used.")
            yield entry


def bring_back(entry: Entry, folder: Path) -> bool:
    """Store a file of the backup; False if it is there already, as after an interruption. Raise BackupRefused."""
    source = folder / FOLDER / entry.path
    if not source.is_file() or source.stat().st_size != entry.size or hash_file(source) != entry.sha256:
        raise BackupRefused(f"The backup is damaged: {entry.path} is missing, or is not what it was.")
    if _is_there(entry):
        return False
    with source.open("rb") as file:
        default_storage.save(entry.path, File(file))
    return True


def _is_there(entry: Entry) -> bool:
    with contextlib.suppress(FileNotFoundError):
        if default_storage.exists(entry.path) and default_storage.size(entry.path) == entry.size:
            digest = hashlib.sha256()
            with default_storage.open(entry.path) as file:
                for piece in file.chunks(PIECE):
                    digest.update(piece)
            return digest.hexdigest() == entry.sha256
    return False
