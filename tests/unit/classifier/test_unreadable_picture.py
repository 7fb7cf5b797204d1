"""A damaged stored picture stops a training with a sentence that names it, and a link to it."""

import re

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from classifier.jobs import sending
from classifier.jobs.kinds import EMBED
from classifier.jobs.state import read_state
from classifier.models import Job, Project, Sample
from classifier.services import samples
from classifier.services.embeddings import EmbeddingsMissing
from ml.images.decoding import PictureUnreadable
from worker.features import read_picture_file
from worker.run import run_job


@pytest.fixture(autouse=True)
def _no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write no heartbeat: the database of a test takes no second writer."""
    monkeypatch.setattr("worker.run.BEAT_SECONDS", 60)


@pytest.fixture
def damaged(filled: Project) -> Sample:
    sample = Sample.objects.filter(project=filled).select_related("image", "image_class").order_by("pk")[4]
    default_storage.delete(sample.image.path)
    default_storage.save(sample.image.path, ContentFile(b"\xff\xd8\xff not a picture any more"))
    return sample


def embed(project: Project) -> Job:
    images = list(Sample.objects.filter(project=project).values_list("image", flat=True))
    job = sending.queue_job(
        EMBED, project=project, by=project.owner, config={"backbone": "testing", "images": images, "units": len(images)}
    )
    run_job(job.pk)
    job.refresh_from_db()
    return job


def test_job_names_the_picture_and_links_to_it(damaged: Sample, filled: Project, as_owner: Client) -> None:
    job = embed(filled)
    assert job.status == Job.Status.FAILED
    assert job.error.startswith(f"The picture “{damaged.file_name}” of the class “{damaged.image_class.name}” cannot")
    assert "Something went wrong" not in job.error
    assert read_state(job).sample == damaged.pk
    page = as_owner.get(job.get_absolute_url()).content.decode()
    assert f"/pictures/{damaged.pk}/" in page
    (linked,) = re.findall(r'href="([^"]*/pictures/\d+/)"', page)
    shown = as_owner.get(linked).content.decode()
    assert f'data-picture="{damaged.pk}"' in shown
    assert damaged.file_name in shown


def test_missing_file_is_unreadable_and_a_deleted_picture_is_gone(damaged: Sample) -> None:
    default_storage.delete(damaged.image.path)
    with pytest.raises(PictureUnreadable, match="missing from the storage"):
        read_picture_file(damaged.image.sha256)
    with pytest.raises(EmbeddingsMissing):
        read_picture_file("0" * 64)


def test_picture_that_was_deleted_since_is_not_linked(damaged: Sample, filled: Project, as_owner: Client) -> None:
    job = embed(filled)
    samples.delete_samples(filled, samples.pick(filled, [damaged.pk]), by=None)
    page = as_owner.get(job.get_absolute_url()).content.decode()
    assert "/pictures/" not in page
