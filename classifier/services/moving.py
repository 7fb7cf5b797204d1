"""Move the files of a site between its folder and a bucket: copy what is missing there, and compare what came."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from django.conf import settings
from django.core.files.storage import Storage
from django.utils.module_loading import import_string

from classifier.services.file_checks import list_named_files
from classifier.storage import AtomicFileSystemStorage
from ml.errors import Conflict

AT_ONCE = 8  # files
PIECE = 2**20


class CannotMove(Conflict):
    """There is no bucket to move from or to. The message is a sentence for the operator."""


@dataclass
class Moved:
    """What became of the files: how many were there already, were copied, and which are missing or came damaged."""

    there: int = 0
    copied: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def open_storages(to: Literal["bucket", "folder"]) -> tuple[Storage, Storage]:
    """Return where the files are, and where they go. Raise CannotMove."""
    if not settings.S3_BUCKET:
        raise CannotMove("Set S3_BUCKET first, for this command alone: it says which bucket is meant.")
    folder = AtomicFileSystemStorage(location=settings.MEDIA_ROOT)
    chosen: Any = settings.S3_STORAGE
    bucket: Storage = import_string(chosen["BACKEND"])(**chosen["OPTIONS"])
    return (folder, bucket) if to == "bucket" else (bucket, folder)


def move_files(source: Storage, target: Storage, tell: Callable[[int], None] = lambda count: None) -> Moved:
    """Copy every file that rows name and that the target lacks. Nothing is deleted; doing it again does the rest."""
    names, moved = iter(sorted(set(list_named_files()))), Moved()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="move") as pool:
        while part := list(islice(names, 16 * AT_ONCE)):
            for name, outcome in zip(part, pool.map(lambda name: _move(name, source, target), part), strict=True):
                _count(moved, name, outcome)
            tell(moved.there + moved.copied)
    return moved


def _count(moved: Moved, name: str, outcome: str) -> None:
    if outcome == "there":
        moved.there += 1
    elif outcome == "copied":
        moved.copied += 1
    else:
        (moved.missing if outcome == "missing" else moved.damaged).append(name)


def _move(name: str, source: Storage, target: Storage) -> str:
    if not source.exists(name):
        return "missing"
    wanted = _hash(source, name)
    if target.exists(name) and target.size(name) == source.size(name) and _hash(target, name) == wanted:
        return "there"
    with source.open(name) as file:
        target.save(name, file)
    return "copied" if _hash(target, name) == wanted else "damaged"


def _hash(storage: Storage, name: str) -> str:
    digest = hashlib.sha256()
    with storage.open(name) as file:
        for piece in file.chunks(PIECE):
            digest.update(piece)
    return digest.hexdigest()
