"""Write the zip of a project's file, entry by entry: what is in memory is a piece of one entry."""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Self

from classifier.services.portable.lines import dump_line
from classifier.services.project_files.manifest import NAME, ROWS, Manifest, Part
from classifier.services.project_files.tables import USER, Column, Scope, Table

_PRIVATE = 0o600 << 16


class Packer:
    """Writes entries, and tells the size and the sha256 of each."""

    def __init__(self, file: BinaryIO) -> None:
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def add(self, name: str, pieces: Iterable[bytes]) -> Part:
        """Write an entry of any length."""
        entry, digest, size = zipfile.ZipInfo(name), hashlib.sha256(), 0
        entry.external_attr = _PRIVATE
        with self._archive.open(entry, "w", force_zip64=True) as target:
            for piece in pieces:
                target.write(piece)
                digest.update(piece)
                size += len(piece)
        return Part(sha256=digest.hexdigest(), size=size)

    def add_table(self, table: Table, scope: Scope) -> Part:
        """Write the rows of a table that go along."""
        lines = _Lines(table, scope)
        part = self.add(f"{ROWS}{table.name}.jsonl", lines)
        return part.model_copy(update={"rows": lines.count})

    def finish(self, manifest: Manifest) -> None:
        """Declare the file whole."""
        self.add(NAME, [manifest.model_dump_json(indent=1).encode()])
        self._archive.close()


class _Lines:
    """The lines of a table as bytes, counted while they are read."""

    def __init__(self, table: Table, scope: Scope) -> None:
        self._table, self._columns, self._rows, self._clean = table, table.columns(), table.read(scope), table.clean
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        names = [column.name for column in self._columns]
        yield dump_line(names).encode()
        for row in self._table.values(self._rows, list(map(_path, self._columns))):
            self.count += 1
            yield dump_line(row if self._clean is None else self._cleaned(names, row)).encode()

    def _cleaned(self, names: list[str], row: tuple[Any, ...]) -> list[Any]:
        assert self._clean is not None  # noqa: S101 - for the type checker
        cleaned = self._clean(dict(zip(names, row, strict=True)))
        return [cleaned[name] for name in names]


def _path(column: Column) -> str:
    return f"{column.name}__username" if column.names == USER else column.name
