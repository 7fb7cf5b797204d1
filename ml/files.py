"""Write files so that each is complete under its name or absent, whenever the process dies or the power fails.

What has been written is first in the memory of the system only. `os.fsync` of the file puts its bytes on the disk, and
of the folder its name; a rename without both may leave an empty file behind a power cut.
"""

import ctypes
import fcntl
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, data: bytes | str, *, mode: int = 0o666, durable: bool = True) -> None:
    """Write a whole file, text as UTF-8, replacing what is there, in the same way as `open_atomically`."""
    with open_atomically(path, mode=mode, durable=durable) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def open_atomically(path: Path, *, mode: int = 0o666, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a new file that takes the name `path` when the block ends, and is deleted if the block raises.

    Until then, readers of `path` find what was there before. Any number of threads and processes may write the same
    path: each writes a file of its own, and the last to finish wins. Missing folders are created.

    Args:
        mode: the permission bits, to which the process's umask is applied as for any new file.
        durable: whether file and name are on the disk when the block has ended. Not needed for what is cheap to make
            again and is checked when it is read.
    """
    # In the same folder, because a rename stays on one disk; with a short name, because `path` may use the full length.
    aside = path.with_name(f".aside-{secrets.token_hex(8)}")
    with _create(aside, mode) as file:
        try:
            yield file
            file.flush()
            if durable:
                sync_descriptor(file.fileno())
            os.replace(aside, path)
        except BaseException:
            aside.unlink()
            raise
    if durable:
        sync_path(path.parent)


def _create(path: Path, mode: int) -> BinaryIO:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    try:
        return open(path, "xb", opener=opener)
    except FileNotFoundError:
        make_folder(path.parent)
        return open(path, "xb", opener=opener)


def make_folder(path: Path) -> None:
    """Create a folder and those above it that are missing, with their names on the disk."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Put a file's bytes, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync_descriptor(handle)
    finally:
        os.close(handle)


def sync_descriptor(handle: int) -> None:
    """Put an open file's bytes on the disk."""
    if sys.platform == "darwin":
        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)  # fsync leaves them in the cache of the drive
    else:
        os.fsync(handle)


def sync_filesystem(path: Path) -> bool:
    """Put all that was written to the file system of `path` on the disk at once; return False where none can do that.

    For hundreds of files this takes a fraction of the time that one `fsync` for each of them does.
    """
    syncfs = getattr(_libc(), "syncfs", None) if sys.platform == "linux" else None
    if syncfs is None:
        return False
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(handle)
    return True


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
