"""An ingest job reads a zip in parts, which any number of workers take; the outcome is that of one reader."""

from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Count

from classifier.jobs import lifecycle, sending
from classifier.models import Image, Job, Project, Sample, Upload
from classifier.selectors import upload_counts
from classifier.services import uploads
from classifier.services.file_checks import list_files
from tests.datasets import make_zip
from tests.pictures import make_jpeg
from worker.ingest import MIN_PART
from worker.run import run_job

COUNT = 4 * MIN_PART


def make_files() -> dict[str, bytes]:
    """Make pictures of two classes, each picture of the first class once more in the second, and some that are bad."""
    pictures = [make_jpeg(seed, (16, 16)) for seed in range(COUNT // 2)]
    files = {f"a/{place:04}.jpg": data for place, data in enumerate(pictures)}
    files |= {f"b/{place:04}.jpg": data for place, data in enumerate(pictures)}
    files["a/0003.jpg"] = b"text"
    return files


def queue(project: Project, archive: bytes) -> Job:
    upload = uploads.receive_archive(project, SimpleUploadedFile("a.zip", archive), "a.zip", by=project.owner)
    assert upload.job is not None
    return upload.job


def run_all(job: Job, *, reverse: bool = False) -> Job:
    """Run the job, its parts in or against their order, and the job again."""
    run_job(job.pk)
    for part in job.children.order_by("-pk" if reverse else "pk"):
        run_job(part.pk)
    run_job(job.pk)
    job.refresh_from_db()
    return job


def report(job: Job) -> list[tuple[Any, ...]]:
    return list(job.upload.items.values_list("file_name", "class_name", "status", "reason"))


@pytest.mark.parametrize("reverse", [False, True])
def test_outcome_does_not_depend_on_who_reads_first(project: Project, reverse: bool) -> None:
    files = make_files()
    job = run_all(queue(project, make_zip(files)), reverse=reverse)
    assert job.status == Job.Status.SUCCEEDED
    assert (job.stage, job.done, job.total) == ("read", COUNT, COUNT)
    assert [row[0] for row in report(job)] == sorted(files)
    # The first file with a picture decides its class; the text made place for its picture in the other class.
    counts = dict(Sample.objects.values_list("image_class__name").annotate(n=Count("pk")))
    assert counts == {"a": COUNT // 2 - 1, "b": 1}
    assert upload_counts(job.upload) == {"stored": COUNT // 2, "duplicate": COUNT // 2 - 1, "rejected": 1}
    assert not job.children.exists()  # what they carried is recorded


def test_parts_are_recorded_while_others_are_read(project: Project) -> None:
    job = queue(project, make_zip(make_files()))
    run_job(job.pk)
    first, second, *_ = job.children.order_by("pk")
    run_job(second.pk)
    assert report(job) == []  # it waits for the first
    uploads.delete_read_archives()  # of jobs that have ended; this one's parts are not all read
    run_job(first.pk)
    assert len(report(job)) == first.config["units"] + second.config["units"]
    job.refresh_from_db()
    assert job.is_open
    assert job.done == len(report(job))


def test_job_ends_if_a_worker_dies_before_it_records(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = queue(project, make_zip(make_files()))
    run_job(job.pk)
    with monkeypatch.context() as patched:
        patched.setattr(uploads, "record_read_parts", lambda upload: None)
        for part in job.children.all():
            run_job(part.pk)
    assert report(job) == []
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED
    assert len(report(job)) == COUNT


def test_cancelled_ingest_records_nothing_more(project: Project) -> None:
    job = queue(project, make_zip(make_files()))
    run_job(job.pk)
    first, second, *_ = job.children.order_by("pk")
    run_job(first.pk)
    before = report(job)
    lifecycle.cancel_job(job)
    run_job(second.pk)
    run_job(job.pk)
    assert report(job) == before
    uploads.delete_read_archives()
    assert not job.children.exists()


def test_small_archive_is_read_at_once(project: Project) -> None:
    job = queue(project, make_zip({f"a/{seed}.jpg": make_jpeg(seed) for seed in range(3)}))
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED
    assert Image.objects.count() == 3
    assert not Job.objects.filter(parent=job).exists()


@pytest.mark.usefixtures("folder_storage")  # of a bucket, this machine has a copy
def test_lost_archive_fails_the_job_and_blames_no_picture(project: Project) -> None:
    job = queue(project, make_zip(make_files()))
    run_job(job.pk)
    default_storage.delete(job.config["archive"])
    run_job(job.children.order_by("pk")[0].pk)
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert not Upload.objects.get(job=job).items.exists()


def test_archive_whose_job_cannot_be_queued_is_not_kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise sending.TooManyJobs(100)

    monkeypatch.setattr(uploads, "queue_job", refuse)
    with pytest.raises(sending.TooManyJobs):
        queue(project, b"PK")
    assert list(list_files("incoming")) == []
