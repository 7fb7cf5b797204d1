"""Files: the default storage of a single machine, what has its name from its content, and real files of both."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage
from filelock import FileLock

from ml.files import make_folder, open_atomically, sync_filesystem, sync_path, write_atomically

FILE_MODE = 0o600
FEW = 8  # files that are synced one by one


class PartsLost(Exception):
    """Of what was received of a file, only the first `kept` bytes are still there."""

    def __init__(self, kept: int) -> None:
        super().__init__(kept)
        self.kept = kept


class PartStorage(Protocol):
    """A storage that takes a file in parts. `state` is what it needs to go on, kept by the caller."""

    least_part: int  # bytes of any part but the last

    def append(self, name: str, offset: int, data: bytes, state: dict[str, Any]) -> dict[str, Any]:
        """Keep a part that begins at the offset, durably, and return the new state. Raise PartsLost."""

    def complete(self, name: str, size: int, state: dict[str, Any]) -> None:
        """Make the parts a file of so many bytes under the name. Once done, doing it again changes nothing.

        Raise PartsLost.
        """

    def discard(self, name: str, state: dict[str, Any]) -> None:
        """Delete the parts."""

    def received(self, name: str, state: dict[str, Any]) -> int:
        """Return how many bytes are there. Raise FileNotFoundError where there is nothing."""


def part_storage() -> PartStorage:
    """Return the default storage as one that takes parts, which both kinds of ours do."""
    return cast(PartStorage, default_storage)


class AtomicFileSystemStorage(FileSystemStorage):
    """A file is whole under its name and on the disk, or not there, whenever the process dies or the power fails.

    All our names are derived from content, so an existing file is the same file: it is replaced, never given another
    name. Pictures are written at less cost, many at a time: see `write_unsynced`.
    """

    @cached_property
    def _on_disk(self) -> set[Path]:
        """Return the folders whose names this process has put on the disk."""
        return set()

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: "File[bytes]") -> str:
        if hasattr(content, "temporary_file_path") and self._take_over(content.temporary_file_path(), name):
            return name
        with open_atomically(Path(self.path(name)), mode=FILE_MODE) as file:
            for chunk in content.chunks():
                file.write(chunk)
        return name

    def _take_over(self, path: str, name: str) -> bool:
        """Rename a finished upload, which may be an archive of gigabytes; False where it lies on another disk."""
        target = Path(self.path(name))
        make_folder(target.parent)
        try:
            os.chmod(path, FILE_MODE)
            sync_path(Path(path))
            os.rename(path, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        sync_path(target.parent)
        return True

    def write_unsynced(self, name: str, data: bytes) -> None:
        """Do what `store_unsynced` does without the wrappers of `save`, which take as long as writing a picture.

        The file is written under its name at once: a process that dies meanwhile leaves a part, and a power cut an
        empty file, which the next one replaces. Nobody looks for the file before it has been synced.
        """
        if ".." in name or name.startswith("/"):
            raise SuspiciousFileOperation(name)
        target = f"{self.location}/{name}"
        try:
            _write_all(_create(target), data)
        except FileExistsError:
            if Path(target).read_bytes() != data:
                write_atomically(Path(target), data, mode=FILE_MODE)
            else:
                os.utime(target)  # whoever deletes files sees that somebody is about to name it in a row

    least_part = 0

    def append(self, name: str, offset: int, data: bytes, state: dict[str, Any]) -> dict[str, Any]:
        """Do what `PartStorage.append` does: the part is on the disk when this has returned."""
        path = Path(self.path(name))
        make_folder(path.parent)
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE), "r+b") as file:
            if (kept := file.seek(0, os.SEEK_END)) < offset:
                raise PartsLost(kept)
            file.truncate(offset)  # what an unfinished request has written beyond it
            file.seek(offset)
            file.write(data)
        sync_path(path)
        if not offset:
            sync_path(path.parent)
        return state

    def complete(self, name: str, size: int, state: dict[str, Any]) -> None:
        """Do what `PartStorage.complete` does: the file has its name already."""
        kept = self.size(name) if self.exists(name) else 0
        if kept < size:
            raise PartsLost(kept)

    def discard(self, name: str, state: dict[str, Any]) -> None:
        """Delete what has come of a file."""
        self.delete(name)

    def received(self, name: str, state: dict[str, Any]) -> int:
        """Return how many bytes have come. Raise FileNotFoundError where there is nothing."""
        return self.size(name)

    def check(self) -> None:
        """Do what `check_storage` does: the folder, or where it is going to be made, can be written to."""
        folder = Path(self.location)
        while not folder.exists():
            folder = folder.parent
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def cache(self, name: str, data: bytes) -> None:
        """Do what `cache_file` does."""
        write_atomically(Path(self.path(name)), data, mode=FILE_MODE, durable=False)

    def sync(self, names: Sequence[str]) -> None:
        """Put these files on the disk, with their names."""
        if len(names) > FEW and sync_filesystem(Path(self.location)):
            return
        paths = [Path(self.path(name)) for name in names]
        folders = {path.parent for path in paths}
        # Whoever made a folder may have died before its name was on the disk. Folders stay: once is enough.
        unknown = folders - self._on_disk
        for path in (*paths, *folders, *{folder.parent for folder in unknown}):
            sync_path(path)
        self._on_disk |= unknown


def _create(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, FILE_MODE)
    except FileNotFoundError:
        make_folder(Path(path).parent)
        return os.open(path, flags, FILE_MODE)


def _write_all(handle: int, data: bytes) -> None:
    """Write and close. Python's file objects would ask the system four things more."""
    try:
        while (written := os.write(handle, data)) < len(data):  # it may take a part at a time
            data = data[written:]
    finally:
        os.close(handle)


def check_storage() -> None:
    """Check that the default storage answers, without keeping anything in it. Raise OSError."""
    check: Callable[[], None] = getattr(default_storage, "check")  # noqa: B009 - both kinds of ours have it
    check()


def store_once(name: str, data: bytes) -> None:
    """Keep data under a name that comes from its content.

    When this has returned it is on the disk. What is there already stays, unless it is damaged.
    """
    if hasattr(default_storage, "write_unsynced") or not _is_there(name, data):
        store_unsynced(name, data, replace=True)
    sync_files([name])


def _is_there(name: str, data: bytes) -> bool:
    try:
        with default_storage.open(name) as file:
            return bool(file.read() == data)
    except FileNotFoundError:
        return False


def store_unsynced(name: str, data: bytes, *, replace: bool = False) -> None:
    """Keep data like `store_once`, but leave it to `sync_files` to put it on the disk, together with others.

    In a bucket, what is there in the right size is taken for whole unless it is to be replaced: to read all pictures
    that come again would take as long as to store them.
    """
    write: Callable[[str, bytes], None] | None = getattr(default_storage, "write_unsynced", None)
    if write is not None:
        write(name, data)
    elif replace or not default_storage.exists(name) or default_storage.size(name) != len(data):
        default_storage.save(name, ContentFile(data))


def cache_file(name: str, data: bytes) -> None:
    """Keep what can be made again. A power cut may leave an empty file of it; nobody waits for the disk."""
    cache: Callable[[str, bytes], None] | None = getattr(default_storage, "cache", None)
    if cache is not None:
        cache(name, data)
    else:
        default_storage.save(name, ContentFile(data))


def sync_files(names: Sequence[str]) -> None:
    """Return once stored files are on the disk. Call it before the rows that name them are written."""
    sync: Callable[[Sequence[str]], None] | None = getattr(default_storage, "sync", None)
    if sync is not None and names:  # a bucket keeps what it has acknowledged
        sync(names)


@contextmanager
def local_copy(stored: str, *, suffix: str = "") -> Iterator[Path]:
    """Give a real file of what may be in a bucket, or the file itself if the storage is a folder."""
    path = _own_path(stored)
    if path is not None:
        yield path
        return
    with (
        tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR, suffix=suffix) as copy,
        default_storage.open(stored) as file,
    ):
        for chunk in file.chunks():
            copy.write(chunk)
        copy.flush()
        yield Path(copy.name)


@contextmanager
def kept_copy(stored: str) -> Iterator[Path]:
    """Give a real file like `local_copy`, but keep the copy for the other workers of this machine.

    It lies with the scratch files, which are deleted when nobody has used them for a day. What is stored under the name
    must not change.
    """
    own = _own_path(stored)
    if own is not None:
        yield own
        return
    path = _copy_path(stored)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            with open_atomically(path) as copy, default_storage.open(stored) as file:
                for chunk in file.chunks():
                    copy.write(chunk)
        os.utime(path)
    yield path


def delete_copy(stored: str) -> None:
    """Delete this machine's kept copy, if it has one."""
    _copy_path(stored).unlink(missing_ok=True)


def _copy_path(stored: str) -> Path:
    return Path(settings.FILE_UPLOAD_TEMP_DIR) / f"copy-{hashlib.sha256(stored.encode()).hexdigest()}"


def _own_path(stored: str) -> Path | None:
    try:
        return Path(default_storage.path(stored))
    except NotImplementedError:
        return None
