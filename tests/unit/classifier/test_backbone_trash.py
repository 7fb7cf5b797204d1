"""Backbones that people added: deleted, brought back, and gone for good with all that takes room."""

from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import CustomBackbone, Embedding, Image, Job, ModelVersion
from classifier.models.custom_backbone import backbone_file_path
from classifier.selectors import list_custom_backbones
from classifier.services import backbone_trash, closing
from classifier.services.custom_backbones import find_backbone, request_backbone
from classifier.services.embeddings import store_embeddings
from classifier.services.purging import NotInTrash, purge_version
from classifier.services.training import request_training
from classifier.services.trash import consequences_of_version
from ml.backbones.spec import LITE, custom_backbone_dir
from ml.engines.embeddings import embedding_key
from ml.training.config import ConfigError, TrainConfig
from tests.unit.classifier.conftest import publish as publish_version
from tests.unit.classifier.test_custom_backbones import ADDRESS, _own_folder, publish  # noqa: F401


@pytest.fixture
def network(owner: User) -> CustomBackbone:
    return publish(owner)


@pytest.fixture
def embedded(network: CustomBackbone, trained: ModelVersion) -> str:
    """Store embeddings of all pictures by the network, and return their key."""
    key = embedding_key(find_backbone(network.name).digest)
    images = list(Image.objects.all())
    store_embeddings(images, np.zeros((len(images), 20), np.float32), key)
    return key


def is_stored(network: CustomBackbone) -> bool:
    return default_storage.exists(backbone_file_path(network.name, LITE))


def days_later(network: CustomBackbone, days: int) -> None:
    CustomBackbone.objects.filter(pk=network.pk).update(removed_at=timezone.now() - timedelta(days=days))


def needs(version: ModelVersion, network: CustomBackbone) -> None:
    ModelVersion.every.filter(pk=version.pk).update(backbone=network.name)


def test_deleted_backbone_is_in_the_trash_of_its_owner_alone(
    network: CustomBackbone, as_owner: Client, as_stranger: Client, owner: User
) -> None:
    as_owner.post(reverse("backbone_remove", args=[network.pk]))
    assert not list_custom_backbones(owner)
    assert network.title in as_owner.get(reverse("trash")).content.decode()
    assert network.title not in as_stranger.get(reverse("trash")).content.decode()
    for name in ("trash_restore_backbone", "trash_purge_backbone"):
        assert as_stranger.post(reverse(name, args=[network.pk])).status_code == 404
    assert is_stored(network)


def test_restored_backbone_can_be_trained_with_again(network: CustomBackbone, as_owner: Client, owner: User) -> None:
    as_owner.post(reverse("backbone_remove", args=[network.pk]))
    as_owner.post(reverse("trash_restore_backbone", args=[network.pk]))
    assert list(list_custom_backbones(owner)) == [network]
    assert not backbone_trash.list_trashed_backbones(owner)


def test_same_network_that_was_added_again_is_not_restored_beside_it(network: CustomBackbone, owner: User) -> None:
    backbone_trash.remove_backbone(network)
    again = publish(owner)
    with pytest.raises(backbone_trash.AddedAgain):
        backbone_trash.restore_backbone(network)
    assert list(list_custom_backbones(owner)) == [again]


@pytest.mark.django_db(transaction=True)
def test_gone_for_good_with_files_and_embeddings(network: CustomBackbone, embedded: str) -> None:
    others = Embedding.objects.exclude(key=embedded).count()
    backbone_trash.remove_backbone(network)
    backbone_trash.purge_backbone(network)
    assert not CustomBackbone.objects.exists()
    assert not is_stored(network)
    assert not custom_backbone_dir(network.name, django_settings.ML).exists()
    assert (Embedding.objects.filter(key=embedded).count(), Embedding.objects.count()) == (0, others)


@pytest.mark.django_db(transaction=True)
def test_deleting_for_good_that_was_interrupted_begins_again(
    network: CustomBackbone, embedded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone_trash.remove_backbone(network)
    with monkeypatch.context() as broken:
        broken.setattr(backbone_trash, "_delete_embeddings", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            backbone_trash.purge_backbone(network)
    assert backbone_trash.list_trashed_backbones(network.owner).exists(), "or nothing would tell of what is left"
    backbone_trash.purge_backbone(network)
    assert not Embedding.objects.filter(key=embedded).exists()


@pytest.mark.parametrize(("days", "left"), [(29, 1), (31, 0)])
def test_the_reaper_deletes_what_was_there_for_its_days(network: CustomBackbone, days: int, left: int) -> None:
    backbone_trash.remove_backbone(network)
    days_later(network, days)
    backbone_trash.purge_expired_backbones()
    assert CustomBackbone.objects.count() == left


def test_stays_while_a_version_needs_it(
    network: CustomBackbone, trained: ModelVersion, as_owner: Client, owner: User
) -> None:
    needs(trained, network)
    backbone_trash.remove_backbone(network)
    days_later(network, 31)
    backbone_trash.purge_expired_backbones()
    assert is_stored(network)
    answer = as_owner.post(reverse("trash_purge_backbone", args=[network.pk]), follow=True).content.decode()
    assert f"of “{trained.project.name}” was trained with it." in answer
    ModelVersion.every.filter(pk=trained.pk).update(deleted_at=timezone.now())
    assert backbone_trash.explain_need(network), "one in the trash can come back"


def test_one_that_was_restored_meanwhile_stays(network: CustomBackbone) -> None:
    backbone_trash.remove_backbone(network)
    backbone_trash.restore_backbone(CustomBackbone.objects.get(pk=network.pk))
    with pytest.raises(NotInTrash):
        backbone_trash.purge_backbone(network)  # as whoever listed it before
    assert is_stored(network)


def test_training_is_not_queued_with_one_that_has_gone(
    network: CustomBackbone, trained: ModelVersion, owner: User
) -> None:
    backbone_trash.remove_backbone(network)
    backbone_trash.purge_backbone(network)
    with pytest.raises(ConfigError):
        request_training(trained.project, TrainConfig(backbone=network.name), by=owner, force=True)


def test_stays_while_a_job_works_with_it(network: CustomBackbone, trained: ModelVersion) -> None:
    job = trained.project.jobs.latest("pk")
    now_open = {"status": Job.Status.QUEUED, "finished_at": None}
    Job.objects.filter(pk=job.pk).update(**now_open, config={**job.config, "backbone": network.name})
    backbone_trash.remove_backbone(network)
    with pytest.raises(backbone_trash.StillNeeded, match="A job is working with it"):
        backbone_trash.purge_backbone(network)


def test_somebody_elses_network_of_the_same_content_stays(
    network: CustomBackbone, stranger: User, embedded: str, trained: ModelVersion
) -> None:
    theirs = publish(stranger)
    needs(trained, network)
    backbone_trash.remove_backbone(network)
    backbone_trash.purge_backbone(network)
    assert list(CustomBackbone.objects.all()) == [theirs]
    assert is_stored(theirs)
    assert Embedding.objects.filter(key=embedded).exists()


def test_one_that_was_never_opened_is_deleted_at_once(owner: User) -> None:
    job = request_backbone(by=owner, address=ADDRESS)
    backbone_trash.remove_backbone(job.custom_backbones.get())
    job.refresh_from_db()
    assert job.status == Job.Status.CANCELLED
    assert not CustomBackbone.objects.exists()


def test_the_api_deletes_restores_and_deletes_for_good(network: CustomBackbone, as_owner: Client) -> None:
    address, trash = f"/api/v1/backbones/{network.name}", f"/api/v1/trash/backbones/{network.name}"
    assert as_owner.delete(address).status_code == 204
    assert as_owner.delete(address).status_code == 404
    [told] = as_owner.get("/api/v1/trash").json()["backbones"]
    assert (told["name"], told["title"], told["need"]) == (network.name, network.title, "")
    assert as_owner.post(f"{trash}/restore").status_code == 204
    assert as_owner.delete(trash).status_code == 404
    assert as_owner.delete(address).status_code == 204
    assert as_owner.delete(trash).status_code == 204
    assert as_owner.get("/api/v1/trash").json()["backbones"] == []


def test_the_api_says_what_needs_it(network: CustomBackbone, trained: ModelVersion, as_owner: Client) -> None:
    needs(trained, network)
    as_owner.delete(f"/api/v1/backbones/{network.name}")
    answer: Any = as_owner.delete(f"/api/v1/trash/backbones/{network.name}")
    assert answer.status_code == 409
    assert "was trained with it" in answer.json()["error"]
    [told] = as_owner.get("/api/v1/trash").json()["backbones"]
    assert "was trained with it" in told["need"]


@pytest.fixture
def own(network: CustomBackbone, embedded: str, trained: ModelVersion) -> CustomBackbone:
    """Make the network that of a version, as fine-tuning and imports do."""
    needs(trained, network)
    CustomBackbone.objects.filter(pk=network.pk).update(project=trained.project, is_offered=False)
    return network


def test_network_of_a_version_goes_with_it(own: CustomBackbone, embedded: str, trained: ModelVersion) -> None:
    trained.refresh_from_db()
    exports_and_artifact = consequences_of_version(trained).bytes - own.size
    assert exports_and_artifact > 0
    purge_version(trained)
    backbone_trash.purge_expired_backbones()
    assert not CustomBackbone.objects.exists()
    assert not is_stored(own)
    assert not Embedding.objects.filter(key=embedded).exists()


def test_network_of_two_versions_stays_with_the_other(own: CustomBackbone, trained: ModelVersion) -> None:
    other = publish_version(trained.project, seed=2)
    needs(other, own)
    trained.refresh_from_db()
    before = consequences_of_version(trained).bytes
    purge_version(trained)
    backbone_trash.purge_expired_backbones()
    assert is_stored(own)
    other.refresh_from_db()
    assert consequences_of_version(other).bytes - own.size <= before
    purge_version(other)
    backbone_trash.purge_expired_backbones()
    assert not is_stored(own)


@pytest.mark.django_db(transaction=True)
def test_network_of_a_closed_account_goes_once_nothing_needs_it(
    network: CustomBackbone, embedded: str, trained: ModelVersion, stranger: User
) -> None:
    needs(trained, network)
    CustomBackbone.objects.filter(pk=network.pk).update(owner=stranger)
    closing.delete_own_account(stranger)
    closing.purge_account(stranger)
    backbone_trash.purge_expired_backbones()
    assert is_stored(network)
    trained.refresh_from_db()
    purge_version(trained)
    days_later(network, 31)
    backbone_trash.purge_expired_backbones()
    assert not is_stored(network)
