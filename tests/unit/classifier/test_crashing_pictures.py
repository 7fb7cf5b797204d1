"""A picture that crashes its reader is found and refused by name, and the others go on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from classifier.jobs import sending
from classifier.jobs.kinds import TRAIN
from classifier.models import Image, Job, ModelVersion, Project
from classifier.services import uploads
from ml.images.isolated import CRASHES, isolated_reader
from ml.training.config import TrainConfig
from tests.datasets import coloured_pictures, make_tgz, make_zip
from tests.fragile_codec import deadly, python_path
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures
from worker.ingest import MIN_PART
from worker.run import run_job


@pytest.fixture(autouse=True)
def _fragile_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbones: Path, settings: Any) -> None:
    """Let pictures with the mark crash every process that is started from here."""
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    monkeypatch.setenv("PYTHONPATH", python_path(tmp_path))


def test_reader_goes_on_after_a_crash() -> None:
    with isolated_reader() as reader:
        pictures = [make_jpeg(1), deadly(), b"no picture", deadly(), make_jpeg(2)]
        assert [reader.crashes(data) for data in pictures] == [False, True, False, True, False]


@pytest.mark.parametrize(("make", "each"), [(make_zip, MIN_PART), (make_zip, 5), (make_tgz, 5)])
def test_archive_loses_only_the_picture_that_crashes(make: Any, each: int, project: Project) -> None:
    files = {**coloured_pictures(each), "red/deadly.jpg": deadly()}
    file = SimpleUploadedFile("a.zip", make(files))
    job = uploads.receive_archive(project, file, "a.zip", by=project.owner).job
    assert job is not None
    Job.objects.filter(pk=job.pk).update(worker_deaths=1)
    run_job(job.pk)
    job.children.update(worker_deaths=1)
    for part in job.children.all():
        run_job(part.pk)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    refused = job.upload.items.get(status="rejected")
    assert (refused.file_name, refused.reason) == ("red/deadly.jpg", CRASHES)
    assert project.samples.count() == 3 * each


def test_training_goes_on_without_the_picture_that_crashes(filled: Project, as_owner: Client) -> None:
    add_pictures(filled, {"red/deadly.jpg": deadly()})  # this process does not crash: the picture is stored
    config = TrainConfig(backbone="testing").as_dict()
    job = sending.queue_job(TRAIN, project=filled, by=filled.owner, config=config)
    for _ in range(4):
        run_job(job.pk)
        job.children.filter(status="QUEUED").update(worker_deaths=1)
        for part in job.children.filter(status="QUEUED"):
            run_job(part.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    version = ModelVersion.objects.get()
    assert version.dataset_version.total == 18
    assert Image.objects.exclude(damaged_at=None).count() == 1
    assert "red/deadly.jpg" in as_owner.get(filled.get_absolute_url()).content.decode()
