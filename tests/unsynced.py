"""What a power cut would take: files that a row names and that were not on the disk before the row was written."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection

from classifier import storage
from classifier.services.file_checks import list_named_files
from ml import files


class Disk:
    """The disk below the default storage, as it would be found after a power cut.

    A file survives if it was synced since it was last written, under the names that were in its folders when those were
    synced.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.contents: dict[int, tuple[int, int]] = {}  # inode -> size and time of change when it was synced
        self.names: dict[Path, int] = {}  # path -> inode, as the folder had it when it was synced

    def sync(self, path: Path) -> None:
        """Note that a file or a folder was synced."""
        if not path.is_dir():
            self.contents[path.stat().st_ino] = _state(path)
            return
        self.names |= {child: child.stat().st_ino for child in path.iterdir()}

    def sync_everything(self) -> None:
        for path in (self.root, *self.root.rglob("*")):
            self.sync(path)

    def lacks(self, path: Path) -> bool:
        """Return whether a power cut would take the file or damage it."""
        if not path.exists() or self.contents.get(path.stat().st_ino) != _state(path):
            return True
        below = [path, *path.parents]
        return any(self.names.get(one) != one.stat().st_ino for one in below[: below.index(self.root)])


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@contextmanager
def rows_without_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Watch every statement that writes, and collect the files that rows name and that were not on the disk by then."""
    root = Path(default_storage.path(""))
    disk, lost = Disk(root), list[str]()
    disk.sync_everything()  # what was there before is not what is watched
    whole_descriptor, whole_filesystem = files.sync_descriptor, files.sync_filesystem

    def sync_descriptor(handle: int) -> None:
        whole_descriptor(handle)
        disk.sync(Path(os.readlink(f"/proc/self/fd/{handle}")))

    def sync_filesystem(path: Path) -> bool:
        done = whole_filesystem(path)
        if done:
            disk.sync_everything()
        return done

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        found = execute(sql, params, many, context)
        if sql.startswith(("INSERT", "UPDATE")) and not watching:
            watching.append(True)  # the check itself reads rows
            lost.extend(path for path in list_named_files() if disk.lacks(Path(default_storage.path(path))))
            watching.clear()
        return found

    watching: list[bool] = []
    with monkeypatch.context() as patched, connection.execute_wrapper(watch):
        patched.setattr(files, "sync_descriptor", sync_descriptor)
        patched.setattr(storage, "sync_filesystem", sync_filesystem)
        yield lost
