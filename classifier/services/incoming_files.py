"""entry -> incoming file: a file's bytes verified and stored. Touches no database."""

import functools
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from classifier.services.images import store_picture, sync_pictures
from classifier.services.projects import InvalidName, clean_class_name
from ml.datasets.archives import ArchiveEntry
from ml.datasets.class_names import MAX_CLASS_NAME_LENGTH
from ml.datasets.groups import MAX_GROUP_LENGTH, clean_group
from ml.images.decoding import ImageFacts, ImageRejected
from ml.machine import CORES

# Handing a single file over and back would cost as much as verifying it; large ones go to threads by themselves.
GROUP, GROUP_BYTES = 32, 4 * 2**20
AHEAD, AHEAD_BYTES = 16, 128 * 2**20  # groups that threads are ahead of the database, and their bytes


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file on its way in: `facts` once its bytes are stored and its class name is a name, `reason` if refused.

    One with facts and without a class name is unlabelled.
    """

    file_name: str
    class_name: str
    facts: ImageFacts | None = None
    reason: str = ""
    split: str = ""  # given by a folder or a table
    group: str = ""  # of pictures that belong together


INCOMING_FILES = TypeAdapter(list[IncomingFile])  # to JSON and back


def read_incoming_files(entries: Iterator[ArchiveEntry]) -> Iterator[IncomingFile]:
    """Yield all files in their order, reading ahead in a thread for each core."""
    with _short_turns(), ThreadPoolExecutor(CORES, thread_name_prefix="verify") as pool:
        yield from _verify_ahead(pool, entries)


@contextmanager
def _short_turns() -> Iterator[None]:
    """Give threads that come back from decoding their turn sooner while another one writes a batch.

    By default they get it after 5 ms, which is several pictures' time.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _verify_ahead(pool: ThreadPoolExecutor, entries: Iterator[ArchiveEntry]) -> Iterator[IncomingFile]:
    """Yield the files in order, reading the archive ahead by up to AHEAD groups or AHEAD_BYTES."""
    waiting: deque[tuple[int, Future[list[IncomingFile]]]] = deque()
    held = 0
    for group, size in _group(entries):
        waiting.append((size, pool.submit(_read_group, group)))
        held += size
        while waiting and (len(waiting) > AHEAD or held > AHEAD_BYTES):
            size, future = waiting.popleft()
            held -= size
            yield from future.result()
    for _, future in waiting:
        yield from future.result()


def _group(entries: Iterator[ArchiveEntry]) -> Iterator[tuple[list[ArchiveEntry], int]]:
    """Yield groups of up to GROUP files, closed once they reach GROUP_BYTES, with their size."""
    group: list[ArchiveEntry] = []
    size = 0
    for entry in entries:
        group.append(entry)
        size += len(entry.data or b"")
        if len(group) == GROUP or size >= GROUP_BYTES:
            yield group, size
            group, size = [], 0
    if group:
        yield group, size


def sync_incoming(files: Iterable[IncomingFile]) -> None:
    """Return once the pictures among these files are on the disk."""
    sync_pictures(incoming.facts for incoming in files if incoming.facts)


def _read_group(entries: list[ArchiveEntry]) -> list[IncomingFile]:
    return [read_incoming_file(entry) for entry in entries]


def read_incoming_file(entry: ArchiveEntry) -> IncomingFile:
    """Verify and store one file's bytes. Touches no database, so that any thread may do it."""
    label = storable(entry.class_name or "", MAX_CLASS_NAME_LENGTH)
    group = clean_group(storable(entry.group, MAX_GROUP_LENGTH))
    incoming = IncomingFile(storable(entry.name, 1000) or "unnamed", label, split=entry.split, group=group)
    if entry.data is None:
        return replace(incoming, reason=entry.reason or "It cannot be read.")
    if entry.class_name is not None and not incoming.class_name.strip():
        return replace(incoming, reason="It is not in a class folder.")
    try:
        name = "" if entry.class_name is None else _clean_class_name(entry.class_name)
        return replace(incoming, class_name=name, facts=store_picture(entry.data))
    except InvalidName as error:
        return replace(incoming, reason=f"Its class name cannot be used. {error}")
    except ImageRejected as error:
        return replace(incoming, reason=str(error))


_clean_short_name = functools.lru_cache(maxsize=1024)(clean_class_name)  # thousands of pictures share a few names


def _clean_class_name(name: str) -> str:
    """Clean a class name. Raise InvalidName."""
    return _clean_short_name(name) if len(name) <= MAX_CLASS_NAME_LENGTH else clean_class_name(name)


def storable(text: str, longest: int) -> str:
    """Shorten a text for the report, without NUL, which PostgreSQL does not store."""
    return text.replace("\0", "\ufffd")[:longest]
