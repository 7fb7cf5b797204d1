"""No row names a file that a power cut could take: bytes and names are on the disk before the row is written."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import TRAIN
from classifier.models import Job, ModelVersion, Project
from classifier.services import checkpoints, uploads
from classifier.services.datasets import freeze_dataset_version
from ml import files as file_writing
from ml.training.config import TrainConfig
from poetsweb.secret import read_or_create_secret
from tests.datasets import coloured_pictures, make_tgz, make_zip
from tests.unit.classifier.conftest import add_pictures, publish, store_export, store_fake_embeddings
from tests.unsynced import rows_without_files
from worker.ingest import MIN_PART
from worker.run import run_job

pytestmark = [
    pytest.mark.usefixtures("folder_storage"),
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="This system does not tell a descriptor's path."),
]


@pytest.fixture(autouse=True)
def _converted(backbones: Path, settings: Any) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones)


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[list[str]]:
    Path(default_storage.path("")).mkdir(parents=True, exist_ok=True)
    with rows_without_files(monkeypatch) as found:
        yield found


@pytest.mark.parametrize("each", [1, 20])  # synced one by one, and all at once
def test_pictures_from_a_page(each: int, project: Project, lost: list[str]) -> None:
    add_pictures(project, coloured_pictures(each))
    assert lost == []


def test_pictures_where_the_system_cannot_sync_all_at_once(
    project: Project, lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.storage.sync_filesystem", lambda path: False)
    add_pictures(project, coloured_pictures(20))
    assert lost == []


def test_pictures_that_a_dying_process_left(project: Project, lost: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def die(names: Any) -> None:
        raise KeyboardInterrupt

    pictures = coloured_pictures(1)
    with monkeypatch.context() as patched:
        patched.setattr("classifier.services.images.sync_files", die)
        with pytest.raises(KeyboardInterrupt):
            add_pictures(project, pictures)
    add_pictures(project, pictures)
    assert project.samples.count() == 3
    assert lost == []


@pytest.mark.parametrize("make", [make_zip, make_tgz])
def test_archives(make: Any, project: Project, lost: list[str]) -> None:
    data = make(coloured_pictures(MIN_PART))
    with TemporaryUploadedFile("a.zip", "application/zip", len(data), None) as file:
        file.write(data)
        file.seek(0)
        job = uploads.receive_archive(project, file, "a.zip", by=project.owner).job
    assert job is not None
    run_job(job.pk)
    for part in job.children.all():
        run_job(part.pk)
    run_job(job.pk)
    assert project.samples.count() == 3 * MIN_PART
    assert lost == []


def test_small_upload_of_an_archive(project: Project, lost: list[str]) -> None:
    uploads.receive_archive(project, SimpleUploadedFile("a.zip", b"PK"), "a.zip", by=project.owner)
    assert lost == []


def test_training(filled: Project, lost: list[str]) -> None:
    store_fake_embeddings(filled)
    config = TrainConfig(backbone="testing").as_dict()
    job = sending.queue_job(TRAIN, project=filled, by=filled.owner, config=config)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    assert lost == []


def test_export(filled: Project, lost: list[str], tmp_path: Path) -> None:
    version: ModelVersion = publish(filled)
    store_export(version, tmp_path)
    assert lost == []


def test_checkpoint(filled: Project, lost: list[str]) -> None:
    config = TrainConfig(backbone="testing")
    job = lifecycle.claim_job(sending.queue_job(TRAIN, project=filled, by=filled.owner, config=config.as_dict()).pk)
    assert job is not None
    frozen = freeze_dataset_version(filled, validation_percentage=10, testing_percentage=10, by=filled.owner)
    for data in (b"first", b"second"):
        checkpoints.keep_checkpoint(job, checkpoints.checkpoint_path(frozen, config), data, epochs=1)
    lifecycle.beat(job)
    assert lost == []


def test_the_watch_sees_what_is_not_synced(project: Project, lost: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.services.images.sync_files", lambda names: None)
    add_pictures(project, coloured_pictures(1))
    assert len(set(lost)) == 3


def test_secret_that_a_power_cut_emptied_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()
    assert len(read_or_create_secret(tmp_path / "secret_key")) > 40


def test_folders_made_on_the_way_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    whole = file_writing.sync_path
    monkeypatch.setattr(file_writing, "sync_path", lambda path: (synced.append(path), whole(path)))
    file_writing.write_atomically(tmp_path / "a" / "b" / "file", b"x")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
