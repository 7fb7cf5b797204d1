"""Distorted views from the Train button to the version: computed once, counted, kept, and gone with their picture."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import TRAIN
from classifier.jobs.progress import job_progress
from classifier.models import Embedding, Job, ModelVersion, Project, Sample
from classifier.services import samples
from ml.images.augmentation import Augmentation
from ml.training.config import TrainConfig
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures
from worker.embed import embed as embed_job
from worker.train import train as train_job

PICTURES, TRAINED_ON = 18, 12  # `filled`: three classes of six, of which one is for validation and one for the test
DISTORTED: dict[str, Any] = {"flip_left_right": True, "random_crop": 10, "random_brightness": 20, "augmented_copies": 3}


@pytest.fixture(autouse=True)
def _converted(backbones: Path, settings: Any) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones)


def claim(job: Job) -> Job:
    claimed = lifecycle.claim_job(job.pk)
    assert claimed is not None
    return claimed


def start(project: Project, **config: Any) -> Job:
    """Run the training of pictures that have been compared up to its embed jobs."""
    Sample.objects.update(is_compared=True)
    wanted = TrainConfig(backbone="testing", **config).as_dict()
    job = claim(sending.queue_job(TRAIN, project=project, by=project.owner, config=wanted))
    train_job(job)
    job.refresh_from_db()
    return job


def train(project: Project, **config: Any) -> tuple[Job, int]:
    """Run the whole training and return how many embeddings it computed."""
    job = start(project, **config)
    for child in job.children.order_by("pk"):
        embed_job(claim(child))
    if job.children.exists():
        train_job(claim(job))
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED
    return job, sum(child.result["computed"] for child in job.children.all())


def test_views_of_training_pictures_are_computed_once(filled: Project) -> None:
    first, computed = train(filled, **DISTORTED)
    assert computed == PICTURES + 3 * TRAINED_ON == Embedding.objects.count()
    again, computed = train(filled, seed=1, **DISTORTED)
    assert computed == 0
    assert again.result["model_version"] == first.result["model_version"] + 1
    same, _ = train(filled, **DISTORTED)
    assert same.result["unchanged"] is True


def test_only_what_is_new_is_computed(filled: Project) -> None:
    assert train(filled)[1] == PICTURES
    assert train(filled, **DISTORTED)[1] == 3 * TRAINED_ON
    assert train(filled, **{**DISTORTED, "augmented_copies": 5})[1] == 2 * TRAINED_ON
    assert train(filled, **{**DISTORTED, "random_crop": 11})[1] == 3 * TRAINED_ON
    add_pictures(filled, {"red/new.jpg": coloured_pictures(1, seed=900)["red/0.jpg"]})
    assert train(filled, **DISTORTED)[1] == 1 + 3  # the new picture is for training


def test_views_count_in_the_bar(filled: Project) -> None:
    job = start(filled, **DISTORTED)
    assert (job.stage, job.total) == ("embed_copies", PICTURES + 3 * TRAINED_ON)
    assert sum(child.config["units"] for child in job.children.all()) == job.total
    for child in job.children.order_by("pk"):
        embed_job(claim(child))
    job.refresh_from_db()
    progress = job_progress(job)
    assert (progress.done, progress.total, progress.unit) == (job.total, job.total, "pictures")


def test_job_without_views_is_queued_as_before(filled: Project) -> None:
    job = start(filled)
    assert "augmented_copies" not in job.config
    assert {key for child in job.children.all() for key in child.config} == {"backbone", "images", "units"}


def test_version_says_what_it_was_trained_with(filled: Project) -> None:
    train(filled, **DISTORTED)
    config = ModelVersion.objects.get().config
    assert {name: config[name] for name in DISTORTED} == DISTORTED
    assert config["random_scale"] == 0


def test_views_learn_something_else_than_the_picture(filled: Project) -> None:
    train(filled, **DISTORTED)
    train(filled, random_brightness=20, augmented_copies=2)
    image = Sample.objects.filter(split="training").values_list("image", flat=True)[0]
    vectors = [bytes(vector) for vector in Embedding.objects.filter(image=image).values_list("vector", flat=True)]
    assert len(set(vectors)) == len(vectors) == 1 + 3 + 2
    other = Sample.objects.filter(split="test").values_list("image", flat=True)[0]
    assert Embedding.objects.filter(image=other).count() == 1


def test_longest_key_fits_its_column(filled: Project) -> None:
    train(filled, flip_left_right=True, random_crop=100, random_scale=100, random_brightness=100, augmented_copies=16)
    longest = max(map(len, Embedding.objects.values_list("key", flat=True)))
    assert longest == 40 + len("-p1-") + len(Augmentation(16, True, 100, 100, 100).marker)
    assert longest + 5 <= (Embedding._meta.get_field("key").max_length or 0)  # versions of several digits


def test_deleted_picture_takes_its_views_along(filled: Project) -> None:
    train(filled, **DISTORTED)
    sample = Sample.objects.filter(split="training").first()
    assert sample is not None
    samples.delete_samples(filled, samples.pick(filled, [sample.pk]), by=None)
    samples.purge_samples(filled)
    assert Embedding.objects.count() == PICTURES - 1 + 3 * (TRAINED_ON - 1)


def test_killed_embed_job_computes_only_the_rest_of_its_views(filled: Project) -> None:
    job = start(filled, **DISTORTED)
    child = job.children.order_by("-pk")[0]
    assert "augmentation" in child.config
    whole = child.config["images"]
    Job.objects.filter(pk=child.pk).update(config={**child.config, "images": whole[:3], "units": 3})
    embed_job(claim(child))
    Job.objects.filter(pk=child.pk).update(
        status=Job.Status.QUEUED, finished_at=None, config={**child.config, "images": whole}
    )
    embed_job(claim(child))
    child.refresh_from_db()
    assert child.result["computed"] == len(whole) - 3
