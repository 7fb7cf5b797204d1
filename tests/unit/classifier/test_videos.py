"""Videos of archives and requests become samples of one group; a job goes on within one after its worker's death."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

pytest.importorskip("av", reason="PyAV is not installed (make run EXTRAS=video)")

from classifier.models import Job, Project, Sample, UploadItem
from classifier.selectors import list_uploads
from classifier.services import uploads
from classifier.services.uploads import start_upload
from ml.datasets.archives import ArchiveEntry
from tests.datasets import make_zip
from tests.pictures import make_jpeg
from tests.videos import make_video
from worker import ingest
from worker.run import run_job


def queue(project: Project, files: dict[str, bytes], layout: str = "") -> Job:
    archive = SimpleUploadedFile("a.zip", make_zip(files))
    upload = uploads.receive_archive(project, archive, "a.zip", by=project.owner, layout=layout)
    assert upload.job is not None
    return upload.job


def report(job: Job) -> list[tuple[Any, ...]]:
    return list(job.upload.items.order_by("pk").values_list("file_name", "class_name", "status"))


def frames(name: str, label: str, count: int) -> list[tuple[str, str, str]]:
    return [(f"{name}#000{second}.0s", label, "stored") for second in range(count)]


def make_files() -> dict[str, bytes]:
    return {
        "cat/a.jpg": make_jpeg(1),
        "cat/clip_001.mp4": make_video(3.0),
        "dog/b.jpg": make_jpeg(2),
        "dog/clip_001.mov": make_video(2.0, size=(64, 64), format="mov"),
        "dog/clip_002.mp4": b"\0\0\0\x20ftypisom" + bytes(100),
    }


WHOLE = [
    ("cat/a.jpg", "cat", "stored"),
    *frames("cat/clip_001.mp4", "cat", 3),
    ("dog/b.jpg", "dog", "stored"),
    *frames("dog/clip_001.mov", "dog", 2),
    ("dog/clip_002.mp4", "", "rejected"),
]


def test_videos_of_an_archive_become_samples(project: Project) -> None:
    job = queue(project, make_files())
    run_job(job.pk)
    assert report(job) == WHOLE
    groups = dict(Sample.objects.filter(file_name__contains="#").values_list("file_name", "group"))
    assert {name: name.rpartition("#")[0] for name in groups} == groups
    job.refresh_from_db()
    assert (job.status, job.done, job.total) == (Job.Status.SUCCEEDED, len(WHOLE), len(WHOLE))


def test_layout_chooses_the_rate(project: Project) -> None:
    job = queue(project, make_files(), "first,frames=2")
    run_job(job.pk)
    assert sum("#" in row[0] for row in report(job)) == 2 * 5


def test_parts_of_a_zip_with_videos_give_the_same(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "MIN_PART", 2)
    monkeypatch.setattr(ingest, "MAX_PART", 2)
    job = queue(project, make_files(), "first,frames=1")
    run_job(job.pk)
    parts = list(job.children.order_by("-pk"))
    assert len(parts) > 1
    for part in parts:
        run_job(part.pk)
    run_job(job.pk)
    assert report(job) == WHOLE


@pytest.mark.parametrize("done", range(len(WHOLE)))
def test_job_goes_on_where_its_worker_died(project: Project, done: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "BATCH", 1)
    job, written = queue(project, make_files()), 0
    real = uploads.record_files

    def die(*arguments: Any) -> Any:
        nonlocal written
        if written == done:
            raise SystemExit
        written += 1
        return real(*arguments)

    with monkeypatch.context() as dying:
        dying.setattr(uploads, "record_files", die)
        with pytest.raises(SystemExit):
            run_job(job.pk)
    assert len(report(job)) == done
    Job.objects.filter(pk=job.pk).update(status=Job.Status.QUEUED, lease="")
    run_job(job.pk)
    assert report(job) == WHOLE


@pytest.fixture
def signed_in(client: Client, project: Project) -> Iterator[Client]:
    client.force_login(project.owner)
    return client


def test_video_added_to_a_class_in_the_browser_is_one_file(signed_in: Client, project: Project) -> None:
    upload = start_upload(project, "Pictures", by=project.owner, announced=1)
    address = f"{upload.get_absolute_url()}picture"

    def send(data: bytes, **more: str) -> dict[str, str]:
        file = SimpleUploadedFile("clip.mp4", data)
        answer = signed_in.post(address, {"file": file, "class": "cat", "name": "clip.mp4", **more})
        assert answer.status_code == 201, answer.content
        return dict(answer.json())

    assert send(make_video(3.0)) == {"status": "stored", "reason": "3 of its 3 pictures are new."}
    assert send(make_video(3.0), frames="2") == {"status": "stored", "reason": "3 of its 6 pictures are new."}
    assert send(make_video(3.0))["status"] == "duplicate"
    assert send(b"\0\0\0\x20ftypisom" + bytes(100))["status"] == "rejected"
    assert set(Sample.objects.values_list("image_class__name", "group")) == {("cat", "clip.mp4")}
    assert UploadItem.objects.filter(upload=upload).count() == 3 + 6 + 3 + 1


def test_frames_of_a_video_hide_no_file_that_is_missing(project: Project) -> None:
    upload = start_upload(project, "Pictures", by=project.owner, announced=5)
    entry = ArchiveEntry("clip.mp4", "cat", make_video(4.0), None)
    assert len(uploads.add_read(upload, [entry, entry._replace(name="IMG #1.jpg", data=make_jpeg(1))])) == 5
    assert list_uploads(project).get().missing == 3


def test_video_sent_over_the_api(signed_in: Client, project: Project) -> None:
    data = {"file": SimpleUploadedFile("clip.mp4", make_video(2.0)), "class": "cat"}
    answer = signed_in.post(f"/api/v1/projects/{project.slug}/uploads", data)
    assert answer.status_code == 201, answer.content
    assert [row["status"] for row in answer.json()["results"]] == ["stored", "stored"]
