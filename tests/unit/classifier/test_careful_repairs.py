"""What `check_files --repair` leaves alone, because it may not be lost, or is about to be needed."""

import errno
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError

from classifier.models import CustomBackbone, Export, Image, ModelVersion, Project
from classifier.models.custom_backbone import backbone_file_path
from classifier.models.image import image_path
from classifier.services import file_checks
from classifier.services.images import read_file, store_picture
from classifier.services.repairs import repair
from ml.backbones.spec import LITE, BackboneSpec, Origin
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures, store_export
from tests.unit.classifier.test_check_files import check, damage


def make_old(path: str) -> None:
    if not hasattr(default_storage, "write_unsynced"):
        pytest.skip("The time of what is in a bucket cannot be set.")
    two_days_ago = time.time() - 2 * 86400
    os.utime(default_storage.path(path), (two_days_ago, two_days_ago))


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE, errno.EMFILE, errno.EIO])
def test_what_cannot_be_read_for_a_while_is_not_taken_for_damaged(
    number: int, trained: ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_export(trained, tmp_path)
    rows = {model: model.objects.count() for model in (Image, Export, ModelVersion)}

    def refuse(path: str) -> bytes:
        raise OSError(number, os.strerror(number), path)

    with monkeypatch.context() as away:
        away.setattr(file_checks, "read_file", refuse)
        status, said = check("--repair")
    assert status == 1
    assert "unreadable: " in said
    assert "damaged: " not in said
    assert not Image.objects.exclude(damaged_at=None).exists()
    assert {model: model.objects.count() for model in rows} == rows
    assert check()[0] == 0


def test_folder_that_is_not_mounted_is_not_taken_for_loss(trained: ModelVersion) -> None:
    for image in Image.objects.all():
        default_storage.delete(image.path)
    with pytest.raises(CommandError, match="seems not to be mounted"):
        check("--repair")
    assert not Image.objects.exclude(damaged_at=None).exists()
    assert check()[0] == 1


def test_picture_that_is_whole_again_is_used_again(filled: Project) -> None:
    image = Image.objects.order_by("pk")[0]
    whole = read_file(image.path)
    damage(image.path)
    check("--repair")
    default_storage.delete(image.path)
    default_storage.save(image.path, ContentFile(whole))  # from a backup
    status, said = check()
    assert status == 0, said
    assert f"whole: {image.path}" in said
    assert check("--repair")[0] == 0
    assert not Image.objects.exclude(damaged_at=None).exists()


def test_orphan_that_is_uploaded_while_files_are_looked_at_is_kept(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = coloured_pictures(1, seed=900)["red/0.jpg"]
    facts = store_picture(picture)
    path = image_path(facts.sha256)
    make_old(path)
    listed = file_checks.list_files

    def upload_first(folder: str) -> Any:
        if not folder:
            add_pictures(filled, {"red/new.jpg": picture})
            make_old(path)  # as in a bucket, which does not store it again
        yield from listed(folder)

    monkeypatch.setattr(file_checks, "list_files", upload_first)
    assert "orphan" not in check("--repair")[1].replace("0 orphans", "")
    assert default_storage.exists(path)


def test_orphan_that_is_stored_again_is_left(filled: Project) -> None:
    picture = coloured_pictures(1, seed=900)["red/0.jpg"]
    path = image_path(store_picture(picture).sha256)
    make_old(path)
    (orphan,) = file_checks.list_orphans()
    store_picture(picture)
    assert "stored again" in repair(orphan)
    assert default_storage.exists(path)


@pytest.mark.parametrize("now", [b"a netvork", b"\0" * 9, b"a net", b""])
def test_network_of_other_bytes_is_damaged(now: bytes, owner: User) -> None:
    data = b"a network"
    spec = BackboneSpec(LITE, hashlib.sha256(data).hexdigest(), 64, 20, "litert", title="Net", origin=Origin.UPLOADED)
    told = {"text": spec.dump(), "files": [LITE]}
    CustomBackbone.objects.create(owner=owner, title="Net", source="net", name=spec.name, spec=told, size=len(data))
    path = backbone_file_path(spec.name, LITE)
    damage(path, data)
    assert check()[0] == 0
    damage(path, now)
    status, said = check("--repair")
    assert (status, f"damaged: {path}" in said) == (1, True)
    assert "This machine has no copy of it." in said
