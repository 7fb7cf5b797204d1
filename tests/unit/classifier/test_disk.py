"""A disk that fills up is told of in time, and uploads stop before the database cannot write."""

from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier import disk
from classifier.jobs import sending
from classifier.jobs.kinds import TRAIN
from classifier.models import Job, Project
from ml.errors import Refused
from tests.pictures import make_jpeg
from worker.run import run_job


class Usage(NamedTuple):
    free: int


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda count: monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(count))


def upload(client: Client, project: Project, name: str, data: bytes) -> Any:
    file = SimpleUploadedFile(name, data)
    return client.post(f"/api/v1/projects/{project.slug}/uploads", {"file": file, "class": "red"})


@pytest.mark.parametrize("name", ["1.jpg", "all.zip"])
def test_uploads_are_refused_with_a_sentence(free: Any, as_owner: Client, project: Project, name: str) -> None:
    free(disk.RESERVED - 1)
    answer = upload(as_owner, project, name, make_jpeg(1))
    assert answer.status_code == 503
    assert "not enough room" in answer.json()["error"]
    assert answer["Retry-After"] == "10"
    assert not project.uploads.exists()


def test_large_request_is_refused_before_it_is_read(free: Any, as_owner: Client, project: Project) -> None:
    free(disk.RESERVED + 2**20)
    answer = upload(as_owner, project, "all.zip", b"PK" * 2**20)
    assert answer.status_code == 503
    assert upload(as_owner, project, "1.jpg", make_jpeg(1)).status_code == 201


def test_job_waits_for_room(free: Any, project: Project) -> None:
    job = sending.queue_job(TRAIN, project=project, by=project.owner)
    free(disk.RESERVED - 1)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.waits_for) == ("RUNNING", "room on the disk")


@pytest.mark.parametrize("error", [Refused("The files could not be created."), RuntimeError("ResourceExhausted")])
def test_job_that_fails_without_room_waits(
    free: Any, project: Project, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fill_and_fail(job: Job) -> None:
        free(disk.RESERVED - 1)
        raise error

    monkeypatch.setattr("worker.train.train", fill_and_fail)
    job = sending.queue_job(TRAIN, project=project, by=project.owner)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.waits_for) == ("RUNNING", "room on the disk")


def test_administrator_is_warned(free: Any, as_owner: Client, owner: User) -> None:
    free(disk.LOW - 1)
    assert "almost full" not in as_owner.get("/").content.decode()
    User.objects.filter(pk=owner.pk).update(is_superuser=True)
    assert "almost full" in as_owner.get("/").content.decode()
    assert as_owner.get("/health").json()["disk"] == "almost full"
    free(disk.LOW)
    assert "almost full" not in as_owner.get("/").content.decode()
    assert as_owner.get("/health").json()["disk"] == "ok"


def test_page_says_so_too(free: Any, as_owner: Client, project: Project) -> None:
    free(disk.RESERVED - 1)
    address = reverse("upload_start", args=[project.slug])
    answer = as_owner.post(address, {"source": "x"})
    assert answer.status_code == 503
    assert "not enough room" in answer.content.decode()
    answer = as_owner.post(address, {"source": "x"}, headers={"Sec-Fetch-Dest": "empty"})
    assert "not enough room" in answer.json()["error"]
