"""Test that classes whose pictures all belong together are trained on, not tested, and that the pages say so."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from classifier.jobs import sending
from classifier.jobs.kinds import TRAIN
from classifier.models import DatasetVersion, Job, ModelVersion, Project, Sample
from classifier.services import datasets, uploads
from classifier.services.untested import describe_untested, foresee_untested, list_untested
from ml.datasets.archives import ArchiveEntry
from ml.training.config import TrainConfig
from tests.datasets import COLOURS
from tests.pictures import make_jpeg
from worker.run import run_job

pytestmark = pytest.mark.django_db

SENTENCE = "All pictures of “red” belong together, so none can be kept for the test."


def add_videos(project: Project, classes: dict[str, int], frames: int = 6) -> None:
    """Add so many videos of each class."""
    upload, seeds = uploads.start_upload(project, "test", by=None), iter(range(10_000))
    entries: Iterator[ArchiveEntry] = (
        ArchiveEntry(
            f"{name}{video}-{frame}.jpg",
            name,
            make_jpeg(next(seeds), colour=COLOURS[name]),
            None,
            "",
            f"{name} {video}",
        )
        for name, videos in classes.items()
        for video in range(videos)
        for frame in range(frames)
    )
    uploads.add_read(upload, list(entries))
    Sample.objects.filter(project=project).update(is_compared=True)


def freeze(project: Project) -> DatasetVersion:
    return datasets.freeze_dataset_version(project, validation_percentage=10, testing_percentage=10, by=None)


def test_class_of_one_group_cannot_be_tested(project: Project) -> None:
    add_videos(project, {"red": 1, "green": 2, "blue": 5})
    assert foresee_untested(project) == ["red"]
    version = freeze(project)
    names = [name for _, name in version.classes]
    assert {split: dict(zip(names, counts, strict=True)) for split, counts in version.counts.items()} == {
        "training": {"red": 6, "green": 6, "blue": 18},
        "validation": {"red": 0, "green": 0, "blue": 6},
        "test": {"red": 0, "green": 6, "blue": 6},
    }
    assert list_untested(version) == ["red"]


def test_class_that_was_dealt_picture_by_picture_keeps_its_test(project: Project) -> None:
    add_videos(project, {"red": 1, "blue": 3})
    first = Sample.objects.filter(image_class__name="red").first()
    assert first is not None
    Sample.objects.filter(image_class__name="red").update(split="training")
    Sample.objects.filter(pk=first.pk).update(split="test")
    assert foresee_untested(project) == []
    assert list_untested(freeze(project)) == []
    first.refresh_from_db()
    assert first.split == "test"


def test_sentences() -> None:
    assert describe_untested([]) == ""
    assert describe_untested(["red"]).startswith(SENTENCE)
    assert describe_untested(["a", "b"]).startswith("In each of the classes “a”, “b” all pictures belong together, so")


@pytest.mark.parametrize("recipe", ["auto", "sgd"])
@pytest.mark.parametrize(
    ("videos", "tested", "untested"),
    [
        ({"red": 1, "green": 1}, 0, ["green", "red"]),
        ({"red": 1, "green": 2}, 6, ["red"]),
        ({"red": 2, "green": 2}, 12, []),
        ({"red": 1, "green": 4}, 6, ["red"]),
        ({"red": 3, "green": 4}, 12, []),
    ],
)
def test_training_of_few_groups(
    project: Project,
    as_owner: Client,
    settings: Any,
    backbones: Path,
    recipe: str,
    videos: dict[str, int],
    tested: int,
    untested: list[str],
) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    add_videos(project, videos)
    version = train(
        project, TrainConfig(backbone="testing", recipe=recipe, **({"steps": 50} if recipe == "sgd" else {}))
    )
    assert version.metrics["test_n"] == tested
    assert version.metrics["test_accuracy"] == (1.0 if tested else None)
    assert {row["name"] for row in version.metrics["per_class"] if not row["n"]} == set(untested)
    assert sorted(list_untested(version.dataset_version)) == untested
    check_pages(as_owner, version, untested)


def train(project: Project, config: TrainConfig) -> ModelVersion:
    job = sending.queue_job(TRAIN, project=project, by=project.owner, config=config.as_dict())
    for _ in range(2):
        run_job(job.pk)
        for child in job.children.filter(status=Job.Status.QUEUED):
            run_job(child.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    return ModelVersion.objects.get(project=project)


def check_pages(client: Client, version: ModelVersion, untested: list[str]) -> None:
    """Check that all pages of a version can be shown, and say what could not be tested."""
    slug, number = version.project.slug, version.number
    names = ("version", "version_evaluation", "version_report", "promote")
    pages = [client.get(reverse(name, args=[slug, number]), follow=True) for name in names]
    pages += [client.get(reverse(name, args=[slug])) for name in ("project", "versions", "train")]
    pages += [client.get(reverse("dataset", args=[slug, version.dataset_version.number]))]
    pages += [client.get(f"/api/v1/projects/{slug}/versions/{number}{part}") for part in ("", "/evaluation", "/advice")]
    assert {page.status_code for page in pages} == {200}, [page.status_code for page in pages]
    for page in (pages[0], pages[1], pages[6], pages[7]):
        assert ("so none can be kept for the test" in page.content.decode()) == bool(untested)
    if not version.metrics["test_n"]:
        assert "This version has no test pictures" in pages[0].content.decode()
        assert "This version has no test pictures" in pages[1].content.decode()
