"""Test bringing pictures in from a bucket that the administrator allows, on an S3 server."""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("boto3", reason="A bucket is an extra.")
server = pytest.importorskip("moto.server", reason="requirements-dev.txt is not installed")

from classifier.models import Job, Project, UploadItem
from classifier.services import bucket_source, sources
from tests.datasets import coloured_pictures
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

    def open_and_lose(*asked: Any) -> Any:
        found = opened(*asked)
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
