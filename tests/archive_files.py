"""Archives made in code, and the walk over them with the checks that hold for every walk."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ml.datasets.archives import ArchiveEntry, ArchiveLimits, walk_archive, walk_folder

Files = dict[str, bytes]
Make = Callable[[Path, Files], Path]


def make_zip(folder: Path, files: Files) -> Path:
    path = folder / "pictures.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


def make_tar(folder: Path, files: Files, mode: str = "w") -> Path:
    path = folder / "pictures.tar"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def make_tgz(folder: Path, files: Files) -> Path:
    return make_tar(folder, files, "w:gz")


def make_folder(folder: Path, files: Files) -> Path:
    root = folder / "pictures"
    root.mkdir()
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def walk(path: Path, limits: ArchiveLimits | None = None) -> list[ArchiveEntry]:
    """Return all entries, after checking what holds for every walk."""
    found = (walk_folder if path.is_dir() else walk_archive)(path, limits or ArchiveLimits())
    entries = list(found)
    assert len(entries) == found.total
    for entry in entries:
        assert (entry.data is None) == (entry.reason is not None)
        assert entry.class_name is None or entry.reason is None
    return entries


def classes(entries: list[ArchiveEntry]) -> dict[str, str | None]:
    return {entry.name: entry.class_name or entry.reason for entry in entries}


every_kind = pytest.mark.parametrize("make", [make_zip, make_tar, make_tgz, make_folder])
every_archive = pytest.mark.parametrize("make", [make_zip, make_tar, make_tgz])
