"""A training's event files: kept with its job, given to those who may see it."""

import errno
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import TRAIN
from classifier.models import Job, JobLogLine, ModelVersion, Project
from classifier.outages import StorageAway
from classifier.services import event_files
from classifier.services.file_checks import list_files
from ml.training.config import TrainConfig
from tests.unit.classifier.conftest import store_fake_embeddings, store_fake_event_files
from worker.run import run_job


def addresses(job: Job) -> list[str]:
    return [reverse("job_event_files", args=[job.project.slug, job.number]), f"/api/v1/jobs/{job.pk}/event-files"]


def test_page_and_api_give_them(trained: ModelVersion, as_owner: Client) -> None:
    job = trained.job
    assert job is not None
    assert addresses(job)[0] in as_owner.get(job.get_absolute_url()).content.decode()
    for address in addresses(job):
        response = as_owner.get(address)
        data = b"".join(response.streaming_content)  # type: ignore[attr-defined]
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.namelist() == [f"colours-job{job.number}-event-files/train/events"]
        assert as_owner.get(f"/api/v1/jobs/{job.pk}").json()["result"]["event_files"] == len(data)


def test_job_without_them_offers_none(filled: Project, as_owner: Client) -> None:
    job = sending.queue_job(TRAIN, project=filled, by=filled.owner)
    lifecycle.cancel_job(job)
    assert addresses(job)[0] not in as_owner.get(job.get_absolute_url()).content.decode()
    assert {as_owner.get(address).status_code for address in addresses(job)} == {404}


def test_lost_file_is_not_there(trained: ModelVersion, as_owner: Client) -> None:
    assert trained.job is not None
    default_storage.delete(f"summaries/{trained.job.state['event_files']['sha256']}.zip")
    assert {as_owner.get(address).status_code for address in addresses(trained.job)} == {404}


def test_who_lost_the_lease_stores_nothing(filled: Project) -> None:
    job = sending.queue_job(TRAIN, project=filled, by=filled.owner)
    claimed = lifecycle.claim_job(job.pk)
    assert claimed is not None
    lifecycle.cancel_job(job)
    with pytest.raises(lifecycle.LeaseLost):
        store_fake_event_files(claimed)
    assert not default_storage.exists("summaries")


def test_training_that_wrote_nothing_stores_nothing(filled: Project, tmp_path: Path) -> None:
    job = sending.queue_job(TRAIN, project=filled, by=filled.owner)
    (tmp_path / "empty").mkdir()
    event_files.store_event_files(job, tmp_path / "empty")
    assert "event_files" not in job.state


def test_failed_training_keeps_what_it_wrote(
    filled: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train on features with a rate that makes any training diverge."""
    monkeypatch.setattr("worker.run.BEAT_SECONDS", 60)  # no second writer to the database of a test
    store_fake_embeddings(filled)
    config = TrainConfig(backbone="testing", recipe="sgd", steps=60, learning_rate=100.0, batch_size=1)
    job = sending.queue_job(TRAIN, project=filled, by=filled.owner, config=config.as_dict())
    scale_embeddings(1e30)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error[:22]) == ("FAILED", "The training diverged.")
    response = as_owner.get(addresses(job)[0])
    with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as archive:  # type: ignore[attr-defined]
        assert {name.split("/")[1] for name in archive.namelist()} == {"train", "validation"}


def scale_embeddings(factor: float) -> None:
    import numpy as np

    from classifier.models import Embedding

    for row in Embedding.objects.all():
        vector = np.frombuffer(row.vector, np.float32) * np.float32(factor)
        Embedding.objects.filter(pk=row.pk).update(vector=vector.tobytes())


def test_later_attempt_replaces_the_files_of_an_earlier_one(filled: Project, tmp_path: Path) -> None:
    job = lifecycle.claim_job(sending.queue_job(TRAIN, project=filled, by=filled.owner).pk)
    assert job is not None
    for attempt in (b"first", b"second"):
        (tmp_path / "events").write_bytes(attempt)
        event_files.store_event_files(job, tmp_path)
    assert len(list(list_files("summaries"))) == 1
    with event_files.open_event_files(job) as file, zipfile.ZipFile(file) as archive:
        assert archive.read(f"{event_files.event_files_name(job)}/events") == b"second"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("tempfile.mkdtemp", OSError(errno.ENOSPC, "No space left")),
        ("ml.training.event_files.EventFile.add", RuntimeError("ResourceExhausted, in TensorFlow's words")),
        ("classifier.services.event_files.beat", OperationalError("The server closed the connection.")),
        ("classifier.services.event_files.store_once", StorageAway("summaries/ is refused")),
        ("classifier.services.event_files.store_once", OSError(errno.EDQUOT, "Quota exceeded")),
    ],
)
def test_nothing_about_them_fails_or_delays_a_training(
    filled: Project, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    tries = []

    def fail(*args: Any, **options: Any) -> None:
        tries.append(args)
        raise error

    monkeypatch.setattr("worker.run.BEAT_SECONDS", 60)  # no second writer to the database of a test
    monkeypatch.setattr(name, fail)
    store_fake_embeddings(filled)
    job = sending.queue_job(TRAIN, project=filled, by=filled.owner, config=TrainConfig(backbone="testing").as_dict())
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.waits_for, job.error) == ("SUCCEEDED", "", "")
    assert ModelVersion.objects.filter(job=job).exists()
    assert len(tries) == 1
    told = [line.text for line in JobLogLine.objects.filter(job=job) if line.level == "warning"]
    assert told == ["The event files for TensorBoard could not be written. The training does without."]


def test_training_that_diverges_says_so_whatever_becomes_of_them(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StorageAway("summaries/ is refused")

    monkeypatch.setattr("worker.run.BEAT_SECONDS", 60)
    monkeypatch.setattr("classifier.services.event_files.store_once", fail)
    store_fake_embeddings(filled)
    config = TrainConfig(backbone="testing", recipe="sgd", steps=60, learning_rate=100.0, batch_size=1)
    job = sending.queue_job(TRAIN, project=filled, by=filled.owner, config=config.as_dict())
    scale_embeddings(1e30)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.error[:22]) == ("FAILED", "The training diverged.")


def test_lost_lease_ends_the_training_that_would_store_them(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(job: Job) -> None:
        raise lifecycle.LeaseLost

    monkeypatch.setattr("worker.run.BEAT_SECONDS", 60)
    monkeypatch.setattr("classifier.services.event_files.beat", lose)
    store_fake_embeddings(filled)
    job = sending.queue_job(TRAIN, project=filled, by=filled.owner, config=TrainConfig(backbone="testing").as_dict())
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == "RUNNING"
    assert not ModelVersion.objects.filter(job=job).exists()
