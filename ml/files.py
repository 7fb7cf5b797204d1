"""Write files so that each is complete under its name or absent, whenever the process dies."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, data: bytes | str, *, mode: int = 0o666) -> None:
    """Write a whole file, text as UTF-8, replacing what is there, in the same way as `open_atomically`."""
    with open_atomically(path, mode=mode) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def open_atomically(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a new file that takes the name `path` when the block ends, and is deleted if the block raises.

    Until then, readers of `path` find what was there before. Any number of threads and processes may write the same
    path: each writes a file of its own, and the last to finish wins. Missing folders are created.

    Args:
        mode: the permission bits, to which the process's umask is applied as for any new file.
    """
    # In the same folder, because a rename stays on one disk; with a short name, because `path` may use the full length.
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
