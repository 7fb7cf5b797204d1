"""Files: the default storage of a single machine, and real files of what is stored anywhere."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage


class AtomicFileSystemStorage(FileSystemStorage):
    """A file is either whole under its name or not there, whenever the process dies.

    All our names are derived from content, so an existing file is the same file: it is replaced, never
    given another name.
    """

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name

    def _save(self, name: str, content: File) -> str:
        target = self.path(name)
        folder = os.path.dirname(target)
        aside = os.path.join(folder, f".aside-{secrets.token_hex(8)}")
        try:
            handle = _create(aside)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
            handle = _create(aside)
        try:
            with open(handle, "wb") as out:
                for chunk in content.chunks():
                    out.write(chunk)
            os.replace(aside, target)
        except BaseException:
            os.unlink(aside)
            raise
        return name


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)


@contextmanager
def local_copy(stored: str, *, suffix: str = "") -> Iterator[Path]:
    """A real file of what may be in a bucket; the file itself where storage is a folder."""
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


def _own_path(stored: str) -> Path | None:
    try:
        return Path(default_storage.path(stored))
    except NotImplementedError:
        return None
