"""A version is trained again from its frozen inputs: the same comes out, or it is said what is otherwise."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from classifier.models import Embedding, Job, ModelVersion, Project
from classifier.services import samples
from classifier.services.artifacts import load_artifact, load_evaluation
from classifier.services.images import read_file
from classifier.services.reproduction import NotReproducible, request_reproduction
from ml.training.artifacts import pack_artifact
from ml.training.head import Head
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures
from tests.unit.classifier.test_augmented_training import claim, train
from worker.embed import embed as embed_job
from worker.reproduce import reproduce


@pytest.fixture(autouse=True)
def _converted(backbones: Path, settings: Any) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones)


@pytest.fixture
def version(filled: Project) -> ModelVersion:
    train(filled)
    return filled.model_versions.get()


def run(version: ModelVersion) -> Job:
    """Train the version again, and return the job that has ended."""
    job = request_reproduction(version, by=version.project.owner)
    reproduce(claim(job))
    for child in job.children.order_by("pk"):
        embed_job(claim(child))
    if job.children.exists():
        reproduce(claim(job))
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error
    return job


def replace_artifact(version: ModelVersion, *, change: float = 0.0, **manifest: Any) -> None:
    """Give the version another artifact: with other weights, or with other facts in its manifest."""
    old = load_artifact(version.artifact_digest)
    head = Head((old.head.weights + np.float32(change)).astype(np.float32), old.head.bias)
    digest, files = pack_artifact(old.manifest | manifest, head, load_evaluation(version.artifact_digest))
    for name, data in files.items():
        default_storage.save(f"artifacts/{digest}/{name}", ContentFile(data))
    ModelVersion.objects.filter(pk=version.pk).update(artifact_digest=digest)
    version.refresh_from_db()


def test_same_inputs_give_the_same_bytes_and_no_version(version: ModelVersion, as_owner: Client) -> None:
    job = run(version)
    assert job.result["identical"]
    assert job.result["digest"] == version.artifact_digest
    assert (job.result["largest_difference"], job.result["reasons"]) == (0, [])
    assert version.project.model_versions.count() == 1
    page = as_owner.get(job.get_absolute_url()).content.decode()
    assert "the same came out, byte for byte" in page


def test_pictures_that_came_later_change_nothing(version: ModelVersion) -> None:
    add_pictures(version.project, coloured_pictures(3, seed=500))
    assert run(version).result["identical"]


def test_embeddings_that_are_gone_are_computed_again(version: ModelVersion) -> None:
    Embedding.objects.all().delete()
    assert run(version).result["identical"]


def test_other_weights_are_told_of(version: ModelVersion, as_owner: Client) -> None:
    replace_artifact(version, change=0.5)
    job = run(version)
    assert not job.result["identical"]
    assert not job.result["head_identical"]
    assert job.result["largest_difference"] == pytest.approx(0.5, abs=1e-5)
    assert job.result["metrics_identical"]
    page = " ".join(as_owner.get(job.get_absolute_url()).content.decode().split())
    assert "they differ by 0.5 at most" in page
    assert "Another kind of processor" in page


def test_what_has_changed_since_is_said(version: ModelVersion) -> None:
    backbone = load_artifact(version.artifact_digest).manifest["backbone"]
    replace_artifact(version, backbone={**backbone, "preprocessing_version": "old"})
    result = run(version).result
    assert result["head_identical"]
    assert not result["identical"]
    assert result["reasons"] == ["The program prepares pictures in another way than it did then."]


def test_training_that_is_another_one_now_is_told_of(version: ModelVersion) -> None:
    ModelVersion.objects.filter(pk=version.pk).update(fingerprint="0" * 64)  # as of an older version of the recipe
    assert run(version).result["reasons"] == []  # it came out the same
    replace_artifact(version, change=0.5)
    assert run(version).result["reasons"] == ["The program trains in another way than it did then."]
    ModelVersion.objects.filter(pk=version.pk).update(fingerprint=f"superseded {version.pk}")
    version.refresh_from_db()
    assert run(version).result["reasons"] == []  # not known


def test_pressing_twice_leads_to_the_job_that_is_open(version: ModelVersion, as_owner: Client) -> None:
    address = reverse("version_reproduce", args=[version.project.slug, 1])
    first = as_owner.post(address)["Location"]
    assert as_owner.post(address)["Location"] == first
    told = as_owner.post(f"/api/v1/projects/{version.project.slug}/versions/1/reproduce")
    assert told.status_code == 202
    assert version.project.jobs.get(kind="reproduce").pk == told.json()["job"]


def test_imported_version_cannot_be_trained_again(trained: ModelVersion, as_owner: Client) -> None:
    trained.config = {"recipe": "imported", "backbone": "testing", "source": "nowhere"}
    trained.save()
    with pytest.raises(NotReproducible, match="imported"):
        request_reproduction(trained, by=trained.project.owner)
    page = as_owner.post(reverse("version_reproduce", args=[trained.project.slug, 1]), follow=True)
    assert "This version was imported" in page.content.decode()
    assert as_owner.post(f"/api/v1/projects/{trained.project.slug}/versions/1/reproduce").status_code == 409


def test_pictures_that_are_gone_for_good_are_told_of(trained: ModelVersion) -> None:
    project = trained.project
    one = samples.pick(project, [project.samples.values_list("pk", flat=True)[0]])
    samples.delete_samples(project, one, by=project.owner)
    request_reproduction(trained, by=project.owner).delete()  # those in the trash are still there
    project.samples.filter(deleted_at__isnull=False).delete()
    with pytest.raises(NotReproducible, match="One picture"):
        request_reproduction(trained, by=project.owner)


def test_digest_is_that_of_the_manifest(version: ModelVersion) -> None:
    """Hold the digest that pages show to what anybody can compute from the file."""
    data = read_file(f"artifacts/{version.artifact_digest}/manifest.json")
    assert hashlib.sha256(data).hexdigest() == version.artifact_digest
    assert json.loads(data)["dataset_digest"] == version.dataset_version.digest
