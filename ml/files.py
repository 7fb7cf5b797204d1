"""Write files so that each is whole under its name or not there, whenever the process dies."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, data: bytes | str, *, mode: int = 0o666) -> None:
    """Write a whole file, text as UTF-8, in place of what is there; the rest as with `open_atomically`."""
    with open_atomically(path, mode=mode) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def open_atomically(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a new file, which takes the name `path` when the block ends, and is deleted when the block raises.

    Whoever reads `path` meanwhile finds what was there before. Any number of threads and processes may write the same
    path: each writes a file of its own, and the last to end wins. Folders that are missing are made.

    Args:
        mode: the permission bits, from which the process's umask is taken, as from those of any new file.
    """
    # Beside it, as a rename does not leave the disk; the name is short, as that of `path` may have all bytes there are.
    aside = path.with_name(f".aside-{secrets.token_hex(8)}")
    with _create(aside, mode) as file:
        try:
            yield file
            file.flush()
            os.replace(aside, path)
        except BaseException:
            aside.unlink()
            raise


def _create(path: Path, mode: int) -> BinaryIO:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    try:
        return open(path, "xb", opener=opener)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "xb", opener=opener)
