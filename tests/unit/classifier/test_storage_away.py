"""A file that cannot be had because the storage is away is not taken for lost."""

import errno
import io
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client

from classifier.jobs import sending
from classifier.jobs.kinds import EMBED
from classifier.models import Image, ModelVersion, Project, Sample
from classifier.outages import StorageAway
from classifier.services.artifacts import load_artifact
from classifier.services.custom_backbones import find_backbone
from ml.backbones.spec import custom_backbone_dir
from tests.unit.classifier import test_custom_backbones
from tests.unit.classifier.conftest import store_export
from worker.run import run_job

AWAY = [StorageAway("refused"), OSError(errno.EIO, "Input/output error")]


@pytest.fixture(params=AWAY, ids=["bucket", "folder"])
def take_away(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    def fail(*_: Any, **options: Any) -> Any:
        raise request.param

    return lambda: monkeypatch.setattr(type(default_storage._wrapped), "open", fail)  # type: ignore[attr-defined]


def test_job_waits(take_away: Any, filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.run.BEAT_SECONDS", 60)
    images = list(Sample.objects.filter(project=filled).values_list("image", flat=True))
    config = {"backbone": "testing", "images": images, "units": len(images)}
    job = sending.queue_job(EMBED, project=filled, by=filled.owner, config=config)
    take_away()
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.waits_for) == ("RUNNING", "the file storage")
    assert not Image.objects.exclude(damaged_at=None).exists()


def test_downloads_and_pictures_are_asked_to_come_again(
    take_away: Any, trained: ModelVersion, as_owner: Client, tmp_path: Path
) -> None:
    store_export(trained, tmp_path)
    sample = Sample.objects.filter(project=trained.project).select_related("image")[0]
    as_owner.raise_request_exception = False
    take_away()
    for address in (
        f"/api/v1/projects/{trained.project.slug}/versions/1/exports/tflite",
        f"/projects/{trained.project.slug}/images/{sample.image.sha256}",
    ):
        answer = as_owner.get(address)
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "10"), address


def test_artifact_is_not_called_damaged(take_away: Any, trained: ModelVersion) -> None:
    take_away()
    with pytest.raises(OSError):
        load_artifact(trained.artifact_digest)


def test_backbone_is_not_called_missing(take_away: Any, owner: User, tmp_path: Path) -> None:
    network = test_custom_backbones.publish(owner)
    custom_backbone_dir(network.name, settings.ML).rename(tmp_path / "lost")
    take_away()
    with pytest.raises(OSError):
        find_backbone(network.name)


def test_check_calls_nothing_damaged_and_repairs_nothing(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise StorageAway("refused")

    monkeypatch.setattr("classifier.services.file_checks.read_file", refuse)  # it is back a moment later
    with pytest.raises(StorageAway):
        call_command("check_files", "--repair", stdout=io.StringIO())
    assert not Image.objects.exclude(damaged_at=None).exists()
