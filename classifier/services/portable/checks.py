"""What is checked of any file that another site has written: who wrote it, what it holds, where it wants to."""

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from classifier.schema import known_migrations

PIECE = 2**20


def find_newer_program(told: Any, format_version: int) -> str:
    """Return the version of the program that wrote a manifest if it is newer than this one, otherwise ""."""
    try:
        newer = told["format"] > format_version or set(told["migrations"]) - known_migrations()
        return str(told["program"])[:40] if newer else ""
    except (KeyError, TypeError):
        return ""


def is_inside(name: str) -> bool:
    """Return whether a relative path stays in the folder that it is meant for."""
    path = PurePosixPath(name)
    return not (path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name)


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of a file piece by piece."""
    while piece := file.read(PIECE):
        yield piece


def hash_file(path: Path) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for piece in pieces_of(file):
            digest.update(piece)
    return digest.hexdigest()


def hash_bytes(data: bytes) -> str:
    """Return the sha256 of what is in memory."""
    return hashlib.sha256(data).hexdigest()
