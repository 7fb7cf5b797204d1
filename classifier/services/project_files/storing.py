"""Put the files of a project's file where they belong, on the disk before a row names them.

What is there already is compared byte by byte, and stays. What an interruption leaves are files that no row names,
which the next attempt finds, and `check_files --repair` deletes when they are a day old.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from classifier.models.custom_backbone import backbone_file_path
from classifier.models.image import image_path
from classifier.services.event_files import event_files_path
from classifier.services.images import read_file
from classifier.services.project_files.manifest import ProjectFileRefused
from classifier.services.project_files.opening import ProjectFile, damaged
from classifier.services.project_files.tables import TABLES
from classifier.services.project_files.writing import wrong
from classifier.storage import store_unsynced, sync_files
from ml.backbones.spec import CONVERTED, GRAPH, LITE, BackboneSpec, check_files, parse_spec
from ml.images.decoding import ImageRejected
from ml.images.formats import FORMATS
from ml.serving.current import inference

AT_ONCE = 32  # pictures
SYNCED_AT_ONCE = 512

FACTS = ("sha256", "format", "width", "height", "size")

Row = dict[str, Any]
Tell = Callable[[str], None]


def keep(path: str, data: bytes) -> bool:
    """Store a file without waiting for the disk; return False if it is there already, byte by byte."""
    there: bytes | None = None
    with contextlib.suppress(FileNotFoundError):
        there = read_file(path)
    if there == data:
        return False
    if there is None:
        store_unsynced(path, data)
    else:  # its name comes from its content, so that it is damaged
        default_storage.save(path, ContentFile(data))
    return True


@dataclass
class StoredPictures:
    """The sha256s of pictures that were there before, and of those that this site cannot read."""

    there: list[str] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)


def store_pictures(file: ProjectFile, tell: Tell) -> StoredPictures:
    """Read the pictures as uploads are read, and store them. Raise ProjectFileRefused where a row tells otherwise."""
    stored, done, size = StoredPictures(), 0, 0
    waiting = _list_pictures(file)
    with ThreadPoolExecutor(AT_ONCE // 4, thread_name_prefix="store") as pool:
        while part := list(islice(waiting, AT_ONCE)):
            data = [file.read_picture(row["sha256"]) for row in part]
            for row, is_readable, is_new in zip(part, *_verify_and_keep(pool, part, data), strict=True):
                stored.unreadable.update([] if is_readable else [row["sha256"]])
                stored.there += [] if is_new else [row["sha256"]]
            done, size = done + len(part), size + sum(map(len, data))
            if done % SYNCED_AT_ONCE == 0:
                tell(f"{done:,} of {file.manifest.pictures:,} pictures")
    if size != file.manifest.picture_bytes:  # for which there is room, and which the owner may have
        raise damaged("manifest.json")
    rows = _list_pictures(file)
    while part := list(islice(rows, SYNCED_AT_ONCE)):
        sync_files([image_path(row["sha256"]) for row in part])
    return stored


def _verify_and_keep(pool: ThreadPoolExecutor, rows: list[Row], data: list[bytes]) -> tuple[list[bool], list[bool]]:
    """Return which pictures can be read, and which are new."""
    readable = list(pool.map(_is_readable, rows, data))
    return readable, list(pool.map(keep, [image_path(row["sha256"]) for row in rows], data))


def _is_readable(row: Row, data: bytes) -> bool:
    try:
        facts = inference().verify(data, settings.IMAGE_LIMITS)
    except ImageRejected:
        return False
    for name in FACTS:
        if row.get(name) != getattr(facts, name):
            raise wrong(TABLES["images"], name)
    return True


def _list_pictures(file: ProjectFile) -> Iterator[Row]:
    """Yield the row of each picture, after a look at what becomes the name of a file."""
    for row in file.rows("images"):
        if not is_sha256(row.get("sha256")) or row.get("format") not in FORMATS:
            raise damaged("rows/images.jsonl")
        yield row


def is_sha256(text: Any) -> bool:
    """Return whether this is a sha256, as which it may name a file."""
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")


def restore_deleted(file: ProjectFile, sha256s: list[str]) -> None:
    """Store pictures again that were there, and that others have deleted for good before they were named."""
    for sha256 in sha256s:
        if not default_storage.exists(image_path(sha256)):
            keep(image_path(sha256), file.read_picture(sha256))
            sync_files([image_path(sha256)])


def store_networks(file: ProjectFile) -> None:
    """Store the files of custom backbones."""
    for table in ("backbones", "own_backbones"):
        for row in file.rows(table):
            spec, names = read_network(row)
            paths = {name: backbone_file_path(spec.name, name) for name in names}
            data = {name: _read(file, path) for name, path in paths.items()}
            try:
                check_files(spec, data)
            except ValueError:
                raise damaged(paths[spec.file]) from None
            for name, path in paths.items():
                if _is_another(path, data[name]) and not (name == spec.file or spec.converted_sha256):
                    raise ProjectFileRefused(
                        f"This site has another {path} than the file. Run “manage.py check_files”."
                    )
                keep(path, data[name])
            sync_files(list(paths.values()))


def read_network(row: dict[str, Any]) -> tuple[BackboneSpec, list[str]]:
    """Return the spec of a row's network, whose name is that of its content, and the names of its files."""
    try:
        spec, names = parse_spec(row["spec"]["text"]), row["spec"]["files"]
        is_right = spec.name == row["name"] and spec.file in names and set(names) <= {GRAPH, LITE, CONVERTED}
    except (KeyError, TypeError, ValueError, RecursionError):
        is_right = False
    if not is_right:
        raise damaged("rows/backbones.jsonl")
    return spec, sorted(names)


def _is_another(path: str, data: bytes) -> bool:
    return default_storage.exists(path) and read_file(path) != data


def store_event_files(file: ProjectFile) -> None:
    """Store the event files of trainings."""
    for row in file.rows("jobs"):
        stored = event_files_of(row)
        if stored is not None:
            path = event_files_path(stored)
            data = _read(file, path)
            if file.manifest.files[path].sha256 != stored:
                raise damaged(path)
            keep(path, data)
            sync_files([path])


def event_files_of(row: dict[str, Any]) -> str | None:
    """Return the sha256 of a job's event files, None if it has none."""
    state = row.get("state")
    stored = state.get("event_files") if isinstance(state, dict) else None
    if stored is None:
        return None
    sha256 = stored.get("sha256") if isinstance(stored, dict) else None
    if not is_sha256(sha256):
        raise damaged("rows/jobs.jsonl")
    return str(sha256)


def _read(file: ProjectFile, path: str) -> bytes:
    if path not in file.manifest.files:
        raise ProjectFileRefused(f"The file is not whole: {path} is missing in it.")
    return file.read_file(path)
