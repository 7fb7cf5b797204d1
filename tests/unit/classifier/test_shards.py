"""Vectors move out of a database that has too many, into files, and everything reads them there as before."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from classifier.models import Embedding, EmbeddingShard, Image, ModelVersion, Project, Sample
from classifier.services import answers, embeddings, samples, shards
from classifier.services.disk_usage import get_disk_usage, measure_disk
from classifier.services.embeddings import load_embeddings, store_embeddings
from classifier.services.shards import ShardLost, tend_shards
from tests.unit.classifier.conftest import store_fake_embeddings
from tests.unit.classifier.test_check_files import check

FEATURES = 16
KEY = "0123 1"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(shards, "PICTURES", 4)
    settings.EMBEDDINGS_IN_DATABASE = 2


@pytest.fixture
def sha256s(filled: Project) -> list[str]:
    """Return pictures with embeddings in the database, of which each is another."""
    images = list(Image.objects.order_by("pk"))
    vectors = np.arange(len(images) * FEATURES, dtype=np.float32).reshape(-1, FEATURES)
    store_embeddings(images, vectors, KEY)
    store_embeddings(images[:3], vectors[:3], "other 1")
    return [image.sha256 for image in images]


def tend() -> None:
    """Do what the reaper does in ten minutes."""
    cache.clear()
    tend_shards()


def load(sha256s: list[str]) -> np.ndarray:
    return load_embeddings(sha256s, [KEY], FEATURES)


def test_vectors_are_read_as_before(sha256s: list[str]) -> None:
    before = load(sha256s)
    tend()
    moved = Embedding.objects.exclude(shard=None)
    assert len(moved) == len(sha256s) // 4 * 4 >= 8
    assert {bytes(one.vector) for one in moved} == {b""}
    assert Embedding.objects.filter(key="other 1", shard=None).count() == 3  # too few for a file
    assert EmbeddingShard.objects.count() == len(moved) // 4
    assert (load(sha256s) == before).all()
    assert (load(sha256s[::-1]) == before[::-1]).all()
    assert embeddings.list_missing(sha256s, KEY) == []
    assert check()[0] == 0


def test_database_with_room_keeps_them(sha256s: list[str], settings: Any) -> None:
    settings.EMBEDDINGS_IN_DATABASE = 1000
    tend()
    assert not EmbeddingShard.objects.exists()


def test_no_more_than_needed_leave(sha256s: list[str], settings: Any) -> None:
    settings.EMBEDDINGS_IN_DATABASE = Embedding.objects.count() - 1
    tend()
    tend()
    assert EmbeddingShard.objects.count() == 1


def test_it_is_looked_at_now_and_then_and_again_at_once_while_there_is_work(
    sha256s: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "ROUND_SECONDS", -1.0)
    tend()
    assert EmbeddingShard.objects.count() == 1
    tend_shards()
    assert EmbeddingShard.objects.count() == 2
    monkeypatch.setattr(shards, "ROUND_SECONDS", 60.0)
    tend_shards()
    Embedding.objects.update(shard=None, vector=b"\0" * 4 * FEATURES)
    tend_shards()  # it is not time yet
    assert not Embedding.objects.exclude(shard=None).exists()


def test_pictures_that_are_deleted_leave_the_files(sha256s: list[str]) -> None:
    tend()
    first = Embedding.objects.exclude(shard=None).order_by("image")[0]
    old, lost = first.shard, first.image.sha256
    assert old is not None
    left = [sha256 for sha256 in sha256s if sha256 != lost]
    before = load(left)
    Sample.objects.filter(image__sha256=lost).delete()
    samples.purge_pictures([lost])
    tend()
    assert (load(left) == before).all()
    old.refresh_from_db()
    assert not old.embeddings.exists()
    assert EmbeddingShard.objects.filter(count=3).exists()
    assert old.emptied_at
    assert default_storage.exists(old.path)  # for a backup that has begun
    EmbeddingShard.objects.filter(pk=old.pk).update(emptied_at=timezone.now() - timedelta(days=2))
    tend()
    assert not EmbeddingShard.objects.filter(pk=old.pk).exists()
    assert not default_storage.exists(old.path)
    assert (load(left) == before).all()
    assert check()[0] == 0


@pytest.mark.parametrize("how", ["missing", "cut", "another"])
def test_lost_file_is_told_and_computed_again(sha256s: list[str], how: str) -> None:
    tend()
    shard = EmbeddingShard.objects.order_by("pk")[0]
    with default_storage.open(shard.path) as file:
        data = file.read()
    default_storage.delete(shard.path)
    if how != "missing":
        default_storage.save(shard.path, ContentFile(data[:-1] if how == "cut" else b"another"))
    with pytest.raises(ShardLost):
        load(sha256s)
    assert len(embeddings.list_missing(sha256s, KEY)) == 4
    assert not EmbeddingShard.objects.filter(pk=shard.pk).exists()


def test_storage_that_is_away_as_a_whole_costs_nothing(sha256s: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tend()
    before = load(sha256s)
    with monkeypatch.context() as away:
        away.setattr(default_storage, "open", lambda *_: (_ for _ in ()).throw(FileNotFoundError()))
        away.setattr(default_storage, "exists", lambda _: False)
        with pytest.raises(ShardLost):
            load(sha256s)
    assert (load(sha256s) == before).all()


def test_damage_is_not_written_into_a_new_file(sha256s: list[str]) -> None:
    tend()
    lost = Embedding.objects.exclude(shard=None).order_by("image")[0]
    shard = lost.shard
    assert shard is not None
    with default_storage.open(shard.path) as file:
        data = file.read()
    default_storage.delete(shard.path)
    default_storage.save(shard.path, ContentFile(data[:-1] + bytes([data[-1] ^ 1])))
    Sample.objects.filter(image=lost.image).delete()
    samples.purge_pictures([lost.image.sha256])
    tend()
    assert not EmbeddingShard.objects.filter(count=3).exists()
    assert len(embeddings.list_missing([one for one in sha256s if one != lost.image.sha256], KEY)) == 3


def test_check_files_tells_and_forgets_a_damaged_file(sha256s: list[str]) -> None:
    tend()
    shard = EmbeddingShard.objects.order_by("pk")[0]
    default_storage.delete(shard.path)
    status, said = check()
    assert status == 1
    assert "embeddings of 4 pictures" in said
    check("--repair")
    assert len(embeddings.list_missing(sha256s, KEY)) == 4
    assert check()[0] == 0


def test_disk_page_tells_files_from_the_database(sha256s: list[str]) -> None:
    tend()
    measure_disk()
    found = get_disk_usage()
    sizes = {kind.title: kind.bytes for kind in found.kinds}
    kept = Embedding.objects.filter(shard=None).count()
    assert sizes["Embeddings, in the database"] == kept * FEATURES * 4
    assert sizes["Embeddings, in files"] == sum(EmbeddingShard.objects.values_list("size", flat=True))


def test_answers_about_own_pictures_are_the_same(trained: ModelVersion) -> None:
    store_fake_embeddings(trained.project)
    pks = list(trained.project.samples.values_list("image", flat=True))
    before = answers.load_vectors(trained, pks)
    assert len(before) == len(pks)
    tend()
    assert Embedding.objects.exclude(shard=None).exists()
    after = answers.load_vectors(trained, pks)
    assert after.keys() == before.keys()
    assert all((after[pk] == before[pk]).all() for pk in pks)
    default_storage.delete(EmbeddingShard.objects.order_by("pk")[0].path)
    assert answers.load_vectors(trained, pks) == {}  # a page without suggestions, once
    assert answers.load_vectors(trained, pks).keys() < before.keys()
