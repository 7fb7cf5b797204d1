"""Rows and files are held against each other, and what is missing or damaged is made again or set aside."""

import io
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import TRAIN
from classifier.models import Alias, Export, Image, Job, ModelVersion, Project
from classifier.services import datasets, file_checks, uploads
from classifier.services.artifacts import load_artifact
from classifier.services.images import read_file, read_thumbnail
from classifier.services.model_versions import find_version
from ml.training.config import TrainConfig, parse_config
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures, publish, store_export, store_fake_embeddings
from worker.run import run_job


@pytest.fixture(autouse=True)
def _converted(backbones: Path, settings: Any) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones)


def check(*flags: str) -> tuple[int, str]:
    """Run the command and return (exit status, output)."""
    out = io.StringIO()
    try:
        call_command("check_files", *flags, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def damage(path: str, data: bytes = b"") -> None:
    default_storage.delete(path)
    default_storage.save(path, ContentFile(data))


def artifact_paths(version: ModelVersion) -> list[str]:
    return [f"artifacts/{version.artifact_digest}/{name}" for name in ("manifest.json", "head.npz", "evaluation.npz")]


def test_what_is_whole_is_said_to_be_whole(trained: ModelVersion, tmp_path: Path) -> None:
    store_export(trained, tmp_path)
    assert check() == (0, "0 missing or damaged, 0 orphans.\n")


def paths_of(version: ModelVersion, export: Export, image: Image) -> dict[str, str]:
    job = version.job
    assert job is not None
    job.refresh_from_db()
    return {
        "picture": image.path,
        "dataset": version.dataset_version.path,
        **dict(zip(("manifest", "head", "evaluation"), artifact_paths(version), strict=True)),
        "export": export.path,
        "event files": f"summaries/{job.state['event_files']['sha256']}.zip",
    }


@pytest.mark.parametrize("which", ["picture", "dataset", "manifest", "head", "evaluation", "export", "event files"])
@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_every_file_is_checked(which: str, how: str, trained: ModelVersion, tmp_path: Path) -> None:
    store_export(trained, tmp_path)
    path = paths_of(trained, Export.objects.get(), Image.objects.all()[0])[which]
    if how == "missing":
        default_storage.delete(path)
    else:
        data = read_file(path)
        damage(path, data[:-1] + bytes([data[-1] ^ 1]))
    status, said = check()
    assert status == 1
    assert said.startswith(f"{how}: {path}" if how == "missing" else f"{how}: {path.rpartition('/')[0]}")
    assert "1 missing or damaged" in said


def test_damaged_picture_is_set_aside_and_comes_back(filled: Project, as_owner: Client) -> None:
    image = Image.objects.order_by("pk")[0]
    whole = read_file(image.path)
    damage(image.path)
    assert check("--repair")[0] == 1
    page = as_owner.get(filled.get_absolute_url()).content.decode()
    assert "1 picture is missing or damaged" in page
    assert filled.samples.get(image=image).file_name in page
    frozen = freeze(filled)
    assert image.sha256 not in [sha256 for sha256, _, _ in datasets.load_dataset(frozen).rows]

    add_pictures(filled, {"red/again.jpg": whole})
    assert check()[0] == 0
    assert "damaged" not in as_owner.get(filled.get_absolute_url()).content.decode()
    assert image.sha256 in [sha256 for sha256, _, _ in datasets.load_dataset(freeze(filled)).rows]


def freeze(project: Project) -> Any:
    return datasets.freeze_dataset_version(project, validation_percentage=10, testing_percentage=10, by=project.owner)


def test_dataset_file_is_made_again_from_the_rows(trained: ModelVersion) -> None:
    path = trained.dataset_version.path
    before = read_file(path)
    damage(path)
    check("--repair")
    assert read_file(path) == before
    assert check()[0] == 0


def test_dataset_file_whose_pictures_have_changed_stays_lost(trained: ModelVersion) -> None:
    damage(trained.dataset_version.path)
    add_pictures(trained.project, coloured_pictures(1, seed=500))
    assert "the pictures have changed since" in check("--repair")[1]
    assert check()[0] == 1


def test_freezing_the_same_pictures_makes_the_file_whole(trained: ModelVersion) -> None:
    damage(trained.dataset_version.path)
    assert freeze(trained.project) == trained.dataset_version
    assert check()[0] == 0


def really_train(project: Project) -> ModelVersion:
    store_fake_embeddings(project)
    config = TrainConfig(backbone="testing").as_dict()
    job = sending.queue_job(TRAIN, project=project, by=project.owner, config=config)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    return ModelVersion.objects.get(job=job)


@pytest.mark.parametrize("place", range(3))
def test_damaged_artifact_is_trained_again(filled: Project, place: int) -> None:
    version = really_train(filled)
    files = [read_file(path) for path in artifact_paths(version)]
    damage(artifact_paths(version)[place])
    _, said = check("--repair")
    job = Job.objects.filter(kind=TRAIN.name).latest("pk")
    assert f"Job {job.number} of the project trains it again" in said
    run_job(job.pk)
    assert [read_file(path) for path in artifact_paths(version)] == files
    assert ModelVersion.objects.get() == version
    assert check()[0] == 0


def test_pressing_train_does_not_trust_the_row(filled: Project) -> None:
    version = really_train(filled)
    config = parse_config(version.config)
    assert find_version(version.dataset_version, config) == version
    damage(artifact_paths(version)[1])
    assert find_version(version.dataset_version, config) is None


def test_artifact_that_comes_out_otherwise_is_a_version_of_its_own(trained: ModelVersion) -> None:
    damage(artifact_paths(trained)[0])
    ModelVersion.objects.filter(pk=trained.pk).update(artifact_digest="0" * 64)  # as if made by an older library
    again = publish(trained.project)
    assert (again.number, trained.number) == (2, 1)
    assert Alias.objects.get().model_version == again  # the live one could not answer
    assert load_artifact(again.artifact_digest)


def test_export_is_made_again(trained: ModelVersion, tmp_path: Path) -> None:
    job = store_export(trained, tmp_path)
    export = Export.objects.get()
    damage(export.path)
    _, said = check("--repair")
    export.refresh_from_db()
    assert export.job not in (None, job)
    assert "makes it again" in said
    assert check("--repair")[0] == 0  # the row no longer promises a file


def test_orphans_go_when_they_are_a_day_old(trained: ModelVersion, tmp_path: Path) -> None:
    for name in ("incoming/1/old", "incoming/1/new", "images/ab/cd"):
        default_storage.save(name, ContentFile(b"x"))
    read_thumbnail(Image.objects.all()[0], 160)
    long_ago = time.time() - file_checks.ORPHAN_AGE.total_seconds() - 60
    if isinstance(getattr(default_storage, "location", None), str) and Path(default_storage.location).is_dir():
        for path in Path(default_storage.location).rglob("*"):
            if not path.name.endswith("new"):
                os.utime(path, (long_ago, long_ago))
    else:
        pytest.skip("A bucket's times cannot be set.")
    status, said = check("--repair")
    assert status == 0
    assert said.count("orphan: ") == 2
    assert not default_storage.exists("incoming/1/old")
    assert not default_storage.exists("images/ab/cd")
    assert default_storage.exists("incoming/1/new")
    assert check() == (0, "0 missing or damaged, 0 orphans.\n")


def test_archive_of_a_waiting_job_is_no_orphan(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_checks, "ORPHAN_AGE", timedelta(0))
    upload = uploads.receive_archive(project, ContentFile(b"PK"), "a.zip", by=project.owner)
    assert upload.job is not None
    assert list(file_checks.list_orphans()) == []
    lifecycle.cancel_job(upload.job)
    assert [orphan.path for orphan in file_checks.list_orphans()] == [upload.job.config["archive"]]
