"""samples, or a dataset version -> a zip of class folders and a manifest, piece by piece: it is whole nowhere."""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from typing import Self

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from classifier.models import DatasetVersion, Sample
from classifier.services.dataset_pictures import Picture, list_pictures, list_pictures_of_version
from classifier.services.reading_ahead import Read, read_ahead
from ml.datasets.cells import protect_cell
from ml.datasets.manifests import COLUMNS, LEFT_OUT, NAME
from ml.datasets.portable_names import PortableNames
from ml.datasets.zip_writing import StreamedZip
from ml.images.formats import FORMATS

UNLABELLED, NO_SPLIT = "unlabelled", "no split"  # folders
DELETED = "It was deleted for good."
PIECE = 2**16  # bytes that are handed on at once, at least
_IN_MEMORY = 2**20  # bytes of the manifest; more are on the disk until it is written

Source = QuerySet[Sample] | DatasetVersion


def stream_zip(source: Source) -> Iterator[bytes]:
    """Yield the pieces of the zip, the first with the first picture. What is not there is named in a file of it.

    Raise DatasetCorrupt, OSError.
    """
    with _Writer(_Names(source)) as writer:
        for found in read_ahead(_list(source)):
            writer.add(found)
            if writer.is_due:
                yield writer.take()
        writer.finish()
        yield writer.take()


def stream_manifest(source: Source) -> Iterator[bytes]:
    """Yield the lines of the manifest alone, of the pictures that are known to be whole. Raise DatasetCorrupt."""
    names, lines = _Names(source), [_line(COLUMNS)]
    for picture in _list(source):
        if isinstance(picture, str) or picture.damaged_at is not None:
            continue
        lines.append(_describe(picture, names.path(picture)))
        if len(lines) >= 1000:
            yield b"".join(lines)
            lines.clear()
    yield b"".join(lines)


def _list(source: Source) -> Iterator[Picture | str]:
    return list_pictures_of_version(source) if isinstance(source, DatasetVersion) else list_pictures(source)


class _Names:
    """The path of each picture: SPLIT/CLASS/NAME, or CLASS/NAME where none has a split yet."""

    def __init__(self, source: Source) -> None:
        self._names = PortableNames(reserved=(NAME, LEFT_OUT, UNLABELLED))
        self._has_splits = isinstance(source, DatasetVersion) or source.exclude(split="").exists()

    def path(self, picture: Picture) -> str:
        top = (picture.split or NO_SPLIT) if self._has_splits else ""
        folder = UNLABELLED if picture.label is None else self._names.folder(top, picture.label)
        return self._names.file(folder, picture.file_name, FORMATS[picture.format].endings[0], picture.sha256)


class _Writer:
    """Writes the zip, and keeps the lines of the manifest for its end."""

    def __init__(self, names: _Names) -> None:
        self._names, self._archive, self._pieces, self._is_begun = names, StreamedZip(), bytearray(), False
        self._manifest, self._left_out = _Notes(_line(COLUMNS)), _Notes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()
        self._manifest.close()
        self._left_out.close()

    def add(self, found: Read | str) -> None:
        if isinstance(found, str):
            self._left_out.write(f"{found}: {DELETED}\n".encode())
            return
        picture, data = found
        if isinstance(data, str):
            self._left_out.write(f"{_on_one_line(picture.file_name)}: {data}\n".encode())
            return
        path = self._names.path(picture)
        self._manifest.write(_describe(picture, path))
        self._pieces += self._archive.add(path, data, picture.uploaded_at)

    @property
    def is_due(self) -> bool:
        return len(self._pieces) >= (PIECE if self._is_begun else 1)

    def take(self) -> bytes:
        self._is_begun, taken = True, bytes(self._pieces)
        self._pieces.clear()
        return taken

    def finish(self) -> None:
        for name, notes in ((NAME, self._manifest), (LEFT_OUT, self._left_out)):
            if text := notes.read():
                self._pieces += self._archive.add(name, text, timezone.now(), deflate=True)
        self._pieces += self._archive.finish()


class _Notes:
    """Lines that are kept until all are known, on the disk where there are many."""

    def __init__(self, first: bytes = b"") -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+b", dir=str(settings.FILE_UPLOAD_TEMP_DIR))  # noqa: SIM115
        self.write(first)

    def write(self, line: bytes) -> None:
        self._file.write(line)

    def read(self) -> bytes:
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        self._file.close()


def _describe(picture: Picture, path: str) -> bytes:
    described = (picture.label or "", picture.split, picture.group, picture.sha256, picture.width, picture.height)
    by, at = picture.uploaded_by or "", picture.uploaded_at.isoformat(timespec="seconds")
    return _line((path, *described, by, at, picture.file_name))


def _line(cells: Iterable[object]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow([protect_cell(str(cell)) for cell in cells])
    return line.getvalue().encode(errors="replace")


def _on_one_line(name: str) -> str:
    return " ".join(name.split()).encode(errors="replace").decode()
