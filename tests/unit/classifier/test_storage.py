"""A file is whole under its name or not there; a picture is made whole by whoever brings it next."""

import errno
import os
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile

from classifier.services.images import read_file
from classifier.storage import delete_copy, kept_copy, store_once
from tests.disk import full_disk

pytestmark = pytest.mark.usefixtures("folder_storage")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_is_there_stays_and_is_young_again() -> None:
    store_once("images/ab/abc", b"the whole")
    os.utime(default_storage.path("images/ab/abc"), (0, 0))
    before = os.stat(default_storage.path("images/ab/abc"))
    store_once("images/ab/abc", b"the whole")
    after = os.stat(default_storage.path("images/ab/abc"))
    assert after.st_ino == before.st_ino
    assert after.st_mtime > time.time() - 60


@pytest.mark.parametrize("left", [b"the", b"", b"\0" * 9])
def test_what_a_dying_process_or_a_power_cut_left_is_made_whole(left: bytes, tmp_path: Path) -> None:
    store_once("images/ab/abc", b"the whole")
    Path(default_storage.path("images/ab/abc")).write_bytes(left)
    store_once("images/ab/abc", b"the whole")
    assert read_file("images/ab/abc") == b"the whole"
    assert len(files_in(tmp_path)) == 1


@pytest.mark.parametrize("name", ["../outside", "images/../../outside", "/outside"])
def test_names_stay_within_the_folder(name: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        store_once(name, b"x")


def fail_to_write(handle: int, data: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    with full_disk(room=3), pytest.raises(OSError, match="too large"):
        default_storage.save("incoming/1", ContentFile(b"data"))
    assert files_in(tmp_path) == []


def test_files_are_ours_alone() -> None:
    before = os.umask(0)
    try:
        default_storage.save("incoming/1", ContentFile(b"data"))
        store_once("images/ab/abc", b"data")
    finally:
        os.umask(before)
    modes = [os.stat(default_storage.path(name)).st_mode & 0o777 for name in ("incoming/1", "images/ab/abc")]
    assert modes == [0o600, 0o600]


def test_picture_is_stored_once_the_disk_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", fail_to_write)
    with pytest.raises(OSError, match="No space"):
        store_once("images/ab/abc", b"data")
    monkeypatch.undo()
    store_once("images/ab/abc", b"data")
    assert read_file("images/ab/abc") == b"data"


def test_system_that_writes_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: whole(handle, data[:3]))
    store_once("images/ab/abc", b"0123456789")
    monkeypatch.undo()
    assert read_file("images/ab/abc") == b"0123456789"


def uploaded() -> TemporaryUploadedFile:
    file = TemporaryUploadedFile("flowers.zip", "application/zip", 7, None)
    file.write(b"archive")
    file.flush()
    file.seek(0)
    return file


def test_upload_is_renamed_and_not_copied() -> None:
    file = uploaded()
    inode = os.stat(file.temporary_file_path()).st_ino
    default_storage.save("incoming/1", file)
    file.close()
    assert os.stat(default_storage.path("incoming/1")).st_ino == inode
    assert read_file("incoming/1") == b"archive"


def test_upload_on_another_disk_is_copied(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    def rename(source: str, target: str) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", rename)
    file = uploaded()
    default_storage.save("incoming/1", file)
    file.close()
    assert read_file("incoming/1") == b"archive"


class Bucket(Storage):
    """A storage whose files are no files of this machine."""

    files: ClassVar[dict[str, bytes]] = {}

    def exists(self, name: str) -> bool:
        return name in self.files

    def delete(self, name: str) -> None:
        del self.files[name]

    def _save(self, name: str, content: Any) -> str:
        self.files[name] = content.read()
        return name

    def _open(self, name: str, mode: str = "rb") -> "ContentFile[bytes]":
        if name not in self.files:
            raise FileNotFoundError(name)
        return ContentFile(self.files[name])


def test_copy_from_a_bucket_is_fetched_once_by_a_machine(settings: Any, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": f"{__name__}.Bucket"}}
    default_storage.save("incoming/1", ContentFile(b"archive"))
    with kept_copy("incoming/1") as first:
        assert first.read_bytes() == b"archive"
    default_storage.delete("incoming/1")
    with kept_copy("incoming/1") as again:
        assert again == first
    delete_copy("incoming/1")
    assert not first.exists()
    with pytest.raises(FileNotFoundError), kept_copy("incoming/1"):
        pass
    assert [path for path in files_in(tmp_path) if path.suffix != ".lock"] == []


def test_file_of_this_machine_is_not_copied() -> None:
    default_storage.save("incoming/1", ContentFile(b"archive"))
    with kept_copy("incoming/1") as path:
        assert str(path) == default_storage.path("incoming/1")
    delete_copy("incoming/1")
    assert read_file("incoming/1") == b"archive"
