"""Open a project's file that anybody may have written: nothing of it is used before it has been checked."""

import hashlib
import json
import os
import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from classifier.services.portable.checks import hash_bytes, is_inside, pieces_of
from classifier.services.project_files.manifest import (
    FILES,
    MAX_BYTES,
    NAME,
    NO_PROJECT_FILE,
    PICTURES,
    ROWS,
    Manifest,
    Part,
    ProjectFileRefused,
    parse_manifest,
)
from classifier.services.project_files.tables import TABLES

# What the standard library raises for archives that nobody has written so.
NOT_AS_WRITTEN = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)
LONGEST_LINE = 64 * 2**20  # bytes
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # as JSON has it


class ProjectFile:
    """A project's file whose table of contents is as it should be.

    What is read of it raises ProjectFileRefused where it is not what the manifest says.
    """

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._entries = _list_entries(archive, size)
        self.manifest = parse_manifest(self._read_manifest())
        _check_names(set(self._entries), self.manifest)

    def _read_manifest(self) -> bytes:
        if NAME not in self._entries:
            raise ProjectFileRefused(NO_PROJECT_FILE)
        with self.open(NAME) as file:
            return file.read(MAX_BYTES)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open an entry to be read once."""
        entry = self._entries.get(name)
        if entry is None:
            raise ProjectFileRefused(f"The file is not whole: {_shown(name)} is missing in it.")
        try:
            with self._archive.open(entry) as file:
                yield file
        except NOT_AS_WRITTEN:
            raise damaged(name) from None

    def check(self) -> None:
        """Check each entry but the pictures, which are checked when they are read, against its sha256."""
        parts = {f"{ROWS}{name}.jsonl": part for name, part in self.manifest.tables.items()}
        parts |= {f"{FILES}{path}": part for path, part in self.manifest.files.items()}
        for name, part in parts.items():
            digest = hashlib.sha256()
            with self.open(name) as file:
                for piece in pieces_of(file):
                    digest.update(piece)
            if digest.hexdigest() != part.sha256:
                raise damaged(name)

    def read_picture(self, sha256: str) -> bytes:
        """Return the bytes of a picture."""
        data = self._read(f"{PICTURES}{sha256}")
        if hash_bytes(data) != sha256:
            raise damaged(f"{PICTURES}{sha256}")
        return data

    def read_file(self, path: str) -> bytes:
        """Return the bytes of another file."""
        data, part = self._read(f"{FILES}{path}"), self.manifest.files[path]
        if hash_bytes(data) != part.sha256:
            raise damaged(f"{FILES}{path}")
        return data

    def _read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table, each with its values by column."""
        name, part = f"{ROWS}{table}.jsonl", self.manifest.tables.get(table)
        if part is None:  # the file is older than the table
            return
        with self.open(name) as file:
            columns, count = _parse_columns(name, _read_line(name, file), table), 0
            while line := _read_line(name, file):
                count += 1
                yield _parse_row(name, columns, line)
        if count != part.rows:
            raise damaged(name)


@contextmanager
def open_project_file(path: Path) -> Iterator[ProjectFile]:
    """Open a project's file. Raise ProjectFileRefused."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            archive = stack.enter_context(zipfile.ZipFile(file))
        except (FileNotFoundError, IsADirectoryError):
            raise ProjectFileRefused(f"There is no file {path}.") from None
        except NOT_AS_WRITTEN:
            raise ProjectFileRefused(NO_PROJECT_FILE) from None
        yield ProjectFile(archive, os.fstat(file.fileno()).st_size)


def damaged(name: str) -> ProjectFileRefused:
    """Return the error for an entry that is not what it should be."""
    return ProjectFileRefused(
        f"The file is damaged: {_shown(name)} is not what it was. Write it again, or copy it again."
    )


def _shown(name: str) -> str:
    return "".join(letter for letter in name[:100] if letter.isprintable())


def _list_entries(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the entries by name, which are stored as they are, each once and in a place of its own."""
    entries = archive.infolist()
    found = {entry.filename: entry for entry in entries}
    if not all(is_inside(name) for name in found):
        raise ProjectFileRefused("The file names files outside of itself; nothing of it was used.")
    is_plain = all(
        entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size for entry in entries
    )
    if len(found) != len(entries) or not is_plain or sum(entry.file_size for entry in entries) > size:
        raise ProjectFileRefused(NO_PROJECT_FILE)
    return found


def _check_names(names: set[str], manifest: Manifest) -> None:
    if unknown := set(manifest.tables) - set(TABLES):
        raise ProjectFileRefused(f"The file has a table that this program does not know: {_shown(min(unknown))}.")
    told = {
        NAME,
        *(f"{ROWS}{table}.jsonl" for table in manifest.tables),
        *(f"{FILES}{path}" for path in manifest.files),
    }
    pictures = {name for name in names if name.startswith(PICTURES)}
    if missing := told - names:
        raise ProjectFileRefused(f"The file is not whole: {_shown(min(missing))} is missing in it.")
    if unknown := names - told - pictures:
        raise ProjectFileRefused(f"The file holds something that its manifest does not name: {_shown(min(unknown))}.")
    if len(pictures) != manifest.pictures:
        raise ProjectFileRefused("The file is not whole: it has another number of pictures than its manifest says.")


def _read_line(name: str, file: IO[bytes]) -> bytes:
    line = file.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise damaged(name)
    return line


def _parse_columns(name: str, line: bytes, table: str) -> list[str]:
    columns = _parse(name, line)
    if not all(isinstance(column, str) for column in columns) or len(set(columns)) != len(columns):
        raise damaged(name)
    if unknown := set(columns) - {column.name for column in TABLES[table].columns()}:
        raise ProjectFileRefused(
            f"The file has a column that this program does not know: {table}.{_shown(min(unknown))}."
        )
    return columns


def _parse_row(name: str, columns: list[str], line: bytes) -> dict[str, Any]:
    values = _parse(name, line)
    if len(values) != len(columns):
        raise damaged(name)
    return dict(zip(columns, values, strict=True))


def _parse(name: str, line: bytes) -> list[Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        values = None
    has_nul = b"\\u0000" in line and _NUL.search(line)  # the first alone is quicker, but finds “\\u0000” too
    if not isinstance(values, list) or has_nul:  # PostgreSQL keeps no NUL in texts
        raise damaged(name)
    return values


def sizes_of(parts: dict[str, Part]) -> int:
    """Return how many bytes these entries have together."""
    return sum(part.size for part in parts.values())
