"""The owner has a project written into a file by a job, downloads it for some days, and nobody else does."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.backends.base.base import NO_DB_ALIAS
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier import disk
from classifier.jobs import lifecycle
from classifier.models import AuditEntry, Job, ModelVersion, Project
from classifier.roles import Role
from classifier.services import job_actions, members, purging, trash
from classifier.services.portable import snapshot
from classifier.services.project_files.offering import delete_old_project_files, request_project_file
from tests.unit.classifier.test_project_files import other_site, run
from worker.run import run_job

# What a snapshot sees has been committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "ALIAS", NO_DB_ALIAS)


def write(project: Project) -> Job:
    job = request_project_file(project, by=project.owner)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, (job.error, job.error_detail)
    return job


def files() -> list[str]:
    try:
        return default_storage.listdir("project-files")[1]
    except FileNotFoundError:
        return []


def test_owner_downloads_what_another_site_brings_in(trained: ModelVersion, as_owner: Client, tmp_path: Path) -> None:
    page = as_owner.get(reverse("project_settings", args=["colours"])).content.decode()
    address = reverse("project_file", args=["colours"])
    assert f'action="{address}"' in page
    answer = as_owner.post(address)
    job = Job.objects.get(kind="project_file")
    assert answer["Location"] == job.get_absolute_url()
    assert as_owner.post(address)["Location"] == answer["Location"]
    run_job(job.pk)
    page = as_owner.get(job.get_absolute_url()).content.decode()
    download = reverse("job_project_file", args=["colours", job.number])
    assert download in page
    assert "18 pictures" in page
    sent = as_owner.get(download)
    assert sent["Content-Disposition"] == 'attachment; filename="colours-project.zip"'
    path = tmp_path / "moved.zip"
    path.write_bytes(b"".join(sent))  # type: ignore[arg-type]
    other_site()
    run("import_project", path, "--owner", "owner")
    assert Project.objects.get(slug="colours").samples.count() == 18


def test_api_writes_and_sends_it(trained: ModelVersion, as_owner: Client) -> None:
    started = as_owner.post("/api/v1/projects/colours/project-file")
    assert started.status_code == 202
    pk = started.json()["job"]
    assert as_owner.get(f"/api/v1/jobs/{pk}/project-file").status_code == 404
    run_job(pk)
    result = as_owner.get(f"/api/v1/jobs/{pk}").json()["result"]
    sent = b"".join(as_owner.get(f"/api/v1/jobs/{pk}/project-file"))  # type: ignore[arg-type]
    assert result == {"pictures": 18, "left_out": 0, "project_file": len(sent)}
    assert AuditEntry.objects.get(action="project.exported").username == "owner"


def test_strangers_and_members_get_nothing(trained: ModelVersion, as_stranger: Client, owner: User) -> None:
    job = write(trained.project)
    asked = [
        ("post", reverse("project_file", args=["colours"])),
        ("get", reverse("job_project_file", args=["colours", job.number])),
        ("post", "/api/v1/projects/colours/project-file"),
        ("get", f"/api/v1/jobs/{job.pk}/project-file"),
    ]
    for method, address in asked:
        assert getattr(as_stranger, method)(address).status_code == 404, address
    members.add_member(trained.project, "stranger", Role.EDITOR, by=owner)
    for method, address in asked:
        assert getattr(as_stranger, method)(address).status_code == 403, address
    page = as_stranger.get(job.get_absolute_url()).content.decode()
    assert "The owner of the project can download the file." in page
    assert (
        reverse("project_file", args=["colours"])
        not in as_stranger.get(reverse("project_settings", args=["colours"])).content.decode()
    )
    assert Job.objects.filter(kind="project_file").count() == 1


def test_newer_file_takes_the_place_of_the_earlier(trained: ModelVersion, as_owner: Client) -> None:
    first, second = write(trained.project), write(trained.project)
    assert len(files()) == 1
    assert as_owner.get(reverse("job_project_file", args=["colours", first.number])).status_code == 404
    assert b"".join(as_owner.get(reverse("job_project_file", args=["colours", second.number])))  # type: ignore[arg-type]
    assert "The file has been deleted" in as_owner.get(first.get_absolute_url()).content.decode()


def test_file_goes_after_its_days(trained: ModelVersion, as_owner: Client) -> None:
    job = write(trained.project)
    delete_old_project_files()
    assert len(files()) == 1
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=7, minutes=1))
    delete_old_project_files()
    assert files() == []
    assert as_owner.get(f"/api/v1/jobs/{job.pk}").json()["result"]["project_file"] is None
    assert "0 missing or damaged" in run("check_files")


def test_file_goes_with_its_job_and_with_its_project(trained: ModelVersion) -> None:
    job_actions.delete_job(write(trained.project))
    assert files() == []
    write(trained.project)
    trash.delete_project(trained.project)
    assert len(files()) == 1
    purging.purge_pictures(trained.project_id, lambda count: None)
    purging.purge_project(trained.project_id)
    assert files() == []


def test_damaged_file_is_found_and_forgotten(trained: ModelVersion) -> None:
    job = write(trained.project)
    default_storage.save(f"project-files/{files()[0]}", ContentFile(b"Dear"))
    with pytest.raises(SystemExit):
        run("check_files")
    with pytest.raises(SystemExit):
        run("check_files", "--repair")
    job.refresh_from_db()
    assert "project_file" not in job.state
    assert "event_files" in Job.objects.get(kind="train").state


def test_project_that_lacks_something_fails_in_a_sentence(trained: ModelVersion) -> None:
    default_storage.delete(f"artifacts/{trained.artifact_digest}/evaluation.npz")
    job = request_project_file(trained.project, by=trained.project.owner)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, files()) == (Job.Status.FAILED, [])
    assert "A file of version 1 is missing" in job.error


def test_cancelled_job_leaves_no_file(trained: ModelVersion, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    job = request_project_file(trained.project, by=trained.project.owner)

    def cancel(images: Any) -> Any:
        lifecycle.cancel_job(job)
        return iter(())

    monkeypatch.setattr("classifier.services.project_files.making._read_pictures", cancel)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, files()) == (Job.Status.CANCELLED, [])
    assert not list(Path(settings.FILE_UPLOAD_TEMP_DIR).glob("project-*"))


def test_full_disk_is_told_at_once(trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda: 1000)
    answer = as_owner.post(reverse("project_file", args=["colours"]), follow=True)
    assert "not enough room on the disk" in answer.content.decode()
    assert as_owner.post("/api/v1/projects/colours/project-file").status_code == 503
    assert not Job.objects.filter(kind="project_file").exists()
