"""Test bringing pictures in from a bucket that the administrator allows, on an S3 server."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("boto3", reason="A bucket is an extra.")
server = pytest.importorskip("moto.server", reason="requirements-dev.txt is not installed")

from classifier import disk
from classifier.models import Job, Project, UploadItem
from classifier.services import bucket_source, plans, sources, uploads
from ml.datasets.readings import parse_layout
from tests.datasets import coloured_pictures, make_tgz, make_zip
from worker.run import run_job

SOURCE = "s3://scans/2026"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Any]:
    """Return a client of a bucket with six pictures of two classes below the allowed folder, and one beside it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    settings.S3_ENDPOINT_URL = f"http://127.0.0.1:{running.get_host_and_port()[1]}"
    settings.IMPORT_FROM = [SOURCE, "s3://missing"]
    client = bucket_source._client()
    client.create_bucket(Bucket="scans")
    pictures = iter(coloured_pictures(6).values())
    for label in ("red", "blue"):
        for number in range(3):
            client.put_object(Bucket="scans", Key=f"2026/colours/{label}/{number}.jpg", Body=next(pictures))
    client.put_object(Bucket="scans", Key="2026/colours/", Body=b"")  # as consoles make folders
    client.put_object(Bucket="scans", Key="2025/green/1.jpg", Body=next(pictures))
    yield client
    for key in client.list_objects_v2(Bucket="scans")["Contents"]:
        client.delete_object(Bucket="scans", Key=key["Key"])
    client.delete_bucket(Bucket="scans")
    running.stop()


def bring_in(project: Project, source: str = SOURCE, path: str = "") -> Job:
    upload = sources.ingest_source(project, source, path, by=project.owner)
    run_job(upload.job_id)  # type: ignore[arg-type]
    return Job.objects.get(pk=upload.job_id)


def test_bucket_is_browsed_and_brought_in(project: Project, bucket: Any) -> None:
    assert sources.browse(SOURCE, "") == sources.Contents(["colours"], [], 0)
    assert sources.browse(SOURCE, "colours/red") == sources.Contents([], [], 3)
    assert bring_in(project).status == Job.Status.SUCCEEDED
    assert sorted(project.classes.values_list("name", flat=True)) == ["blue", "red"]
    assert project.samples.count() == 6


def test_object_that_went_meanwhile_costs_only_itself(
    project: Project, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = sources.open_source

    def open_and_lose(*asked: Any, **named: Any) -> Any:
        found = opened(*asked, **named)
        bucket.delete_object(Bucket="scans", Key="2026/colours/red/1.jpg")
        return found

    monkeypatch.setattr(sources, "open_source", open_and_lose)
    assert bring_in(project).status == Job.Status.SUCCEEDED
    assert project.samples.count() == 5
    refused = UploadItem.objects.get(status=UploadItem.Status.REJECTED)
    assert (refused.file_name, refused.reason) == ("colours/red/1.jpg", "It is no longer in the bucket.")


def test_bucket_that_is_not_there_is_a_sentence(project: Project, bucket: Any) -> None:
    job = bring_in(project, "s3://missing")
    assert job.status == Job.Status.FAILED
    assert "it does not exist, or this site may not" in job.error


def test_bucket_that_is_away_makes_the_job_wait(project: Project, bucket: Any, settings: Any) -> None:
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:9"
    job = bring_in(project)
    assert (job.is_open, job.waits_for) == (True, "the file storage")


ARCHIVE = "packed/all.zip"
PICTURES = coloured_pictures(2, seed=70)


def put(bucket: Any, data: bytes, path: str = ARCHIVE) -> None:
    bucket.put_object(Bucket="scans", Key=f"2026/{path}", Body=data)


def copies(settings: Any) -> list[Path]:
    return list(Path(settings.FILE_UPLOAD_TEMP_DIR).glob("source-*"))


@pytest.mark.parametrize(("path", "make"), [(ARCHIVE, make_zip), ("packed/all.tar.gz", make_tgz)])
def test_archive_in_a_bucket_is_brought_in(
    project: Project, bucket: Any, settings: Any, path: str, make: Callable[[dict[str, bytes]], bytes]
) -> None:
    put(bucket, make(PICTURES), path)
    assert sources.browse(SOURCE, "packed") == sources.Contents([], [path.rpartition("/")[2]], 0)
    assert bring_in(project, path=path).status == Job.Status.SUCCEEDED
    assert sorted(project.samples.values_list("file_name", flat=True)) == sorted(PICTURES)
    assert not copies(settings)


def test_archive_in_a_bucket_is_fetched_once_for_the_question_and_the_answer(
    project: Project, bucket: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, make_zip(PICTURES))
    upload = sources.ingest_source(project, SOURCE, ARCHIVE, by=project.owner, confirm=True)
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert Job.objects.get(pk=upload.job_id).waits_for == "an answer"
    assert len(copies(settings)) == 1
    monkeypatch.setattr(bucket_source, "_download", None)  # whoever fetches it again fails
    uploads.answer_upload(upload, [], accept=True)
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert Job.objects.get(pk=upload.job_id).status == Job.Status.SUCCEEDED
    assert project.samples.count() == 6
    assert not copies(settings)


def test_archive_that_was_replaced_after_the_question_is_fetched_again(project: Project, bucket: Any) -> None:
    put(bucket, make_zip(PICTURES))
    upload = sources.ingest_source(project, SOURCE, ARCHIVE, by=project.owner, confirm=True)
    run_job(upload.job_id)  # type: ignore[arg-type]
    put(bucket, make_zip(coloured_pictures(1, seed=80)))
    uploads.answer_upload(upload, [], accept=True)
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert project.samples.count() == 3


def test_archive_in_a_bucket_has_the_limits_of_an_upload(project: Project, bucket: Any, settings: Any) -> None:
    put(bucket, make_zip(PICTURES))
    settings.ARCHIVE_LIMITS = replace(settings.ARCHIVE_LIMITS, max_total_bytes=1000)
    job = bring_in(project, path=ARCHIVE)
    assert (job.status, "larger than 1,000 bytes" in job.error) == (Job.Status.FAILED, True)
    assert not copies(settings)


def test_archive_for_which_there_is_no_room_waits(
    project: Project, bucket: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, make_zip(PICTURES))
    monkeypatch.setattr(disk, "free_bytes", lambda: disk.RESERVED + 100)
    job = bring_in(project, path=ARCHIVE)
    assert (job.is_open, job.waits_for) == (True, "room on the disk")
    assert not copies(settings)


def test_what_is_no_archive_though_called_so_is_a_sentence(project: Project, bucket: Any, settings: Any) -> None:
    put(bucket, b"no archive at all" * 100)
    job = bring_in(project, path=ARCHIVE)
    assert (job.status, job.error != "") == (Job.Status.FAILED, True)
    assert not copies(settings)


def test_folder_called_as_an_archive_is_a_folder(project: Project, bucket: Any) -> None:
    put(bucket, next(iter(PICTURES.values())), "odd.zip/red/1.jpg")
    assert bring_in(project, path="odd.zip").status == Job.Status.SUCCEEDED
    assert project.samples.get().image_class.name == "red"  # type: ignore[union-attr]


def test_archive_in_a_bucket_is_planned_without_storing_it(
    bucket: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, make_zip(PICTURES))
    before = set(Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir())
    assert sources.plan_source(SOURCE, ARCHIVE, parse_layout("auto")).classes == {"blue": 2, "green": 2, "red": 2}
    assert set(Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir()) == before
    monkeypatch.setattr(plans, "MOST_BYTES_AT_ONCE", 1000)
    with pytest.raises(plans.TooLargeToPlan):
        sources.plan_source(SOURCE, ARCHIVE, parse_layout("auto"))
