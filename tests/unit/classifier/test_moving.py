"""Files move between folder and bucket: what is missing is copied, and what came is compared."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from classifier.models import Image, ModelVersion
from classifier.services.file_checks import list_named_files
from classifier.services.moving import move_files, open_storages
from classifier.storage import AtomicFileSystemStorage


@pytest.fixture
def elsewhere(tmp_path: Path) -> AtomicFileSystemStorage:
    return AtomicFileSystemStorage(location=tmp_path / "elsewhere")


def read(storage: Any, name: str) -> bytes:
    with storage.open(name) as file:
        return bytes(file.read())


def test_all_named_files_come_and_the_second_time_none(trained: ModelVersion, elsewhere: Any) -> None:
    names = set(list_named_files())
    assert move_files(default_storage, elsewhere).copied == len(names)
    for name in names:
        assert read(elsewhere, name) == read(default_storage, name)
    again = move_files(default_storage, elsewhere)
    assert (again.copied, again.there) == (0, len(names))


def test_what_an_interruption_left_half_is_copied_again(trained: ModelVersion, elsewhere: Any) -> None:
    path = Image.objects.order_by("pk")[0].path
    elsewhere.save(path, ContentFile(b"half"))
    move_files(default_storage, elsewhere)
    assert read(elsewhere, path) == read(default_storage, path)


def test_missing_and_damaged_are_told(trained: ModelVersion, elsewhere: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, bent = (image.path for image in Image.objects.order_by("pk")[:2])
    default_storage.delete(lost)
    save = elsewhere.save
    monkeypatch.setattr(
        elsewhere, "save", lambda name, file: save(name, ContentFile(b"bent") if name == bent else file)
    )
    moved = move_files(default_storage, elsewhere)
    assert (moved.missing, moved.damaged) == ([lost], [bent])


def test_there_and_back_through_a_bucket(trained: ModelVersion, settings: Any, tmp_path: Path) -> None:
    if not settings.S3_BUCKET:
        pytest.skip("There is no bucket for tests here.")
    settings.MEDIA_ROOT = tmp_path / "folder"
    folder, bucket = open_storages("folder")[1], open_storages("bucket")[1]
    bucket.location = default_storage.location  # type: ignore[attr-defined]
    names = set(list_named_files())
    assert move_files(bucket, folder).copied == len(names)
    bucket.location = "another"  # type: ignore[attr-defined]
    assert move_files(folder, bucket).copied == len(names)
    assert move_files(folder, bucket).there == len(names)


def test_bucket_must_be_named(trained: ModelVersion, settings: Any) -> None:
    settings.S3_BUCKET = ""
    with pytest.raises(CommandError, match="Set S3_BUCKET first"):
        call_command("move_storage", "bucket")
