"""Deleting projects and versions: to the trash, back from there, and for good."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.jobs.kinds import AUDIT, DELETE
from classifier.jobs.lifecycle import cancel_job
from classifier.jobs.sending import queue_job
from classifier.models import (
    Embedding,
    Export,
    Image,
    Job,
    ModelVersion,
    PartialUpload,
    Project,
    Sample,
    Upload,
    UploadItem,
)
from classifier.selectors import find_role
from classifier.services import members, purging, resumable, trash
from classifier.services.accounts import create_api_key
from classifier.services.file_checks import list_files
from classifier.services.hub import create_public_link
from classifier.services.model_versions import find_version
from classifier.services.projects import create_project
from ml.training.config import TrainConfig
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures, publish, store_export, store_fake_embeddings
from worker.run import run_job


def purge_at_once(project: Project, by: User) -> Job:
    trash.delete_project(project)
    job = purging.request_purge(project, by=by)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error_detail
    return job


def test_deleted_project_is_found_nowhere_and_comes_back(
    trained: ModelVersion, owner: User, as_owner: Client, client: Client
) -> None:
    key = create_api_key(owner, "test")[1]
    headers = {"Authorization": f"Bearer {key}"}
    link = create_public_link(trained, by=owner)
    assert as_owner.post(reverse("project_delete", args=["colours"])).status_code == 302
    page = as_owner.get(reverse("trash")).content.decode()
    assert "Colours" in page
    for path in ("", "/versions", "/classify"):
        assert client.get(f"/api/v1/projects/colours{path}", headers=headers).status_code in (404, 405)
    assert client.get("/api/v1/projects", headers=headers).json() == []
    assert client.get(reverse("hub_version", args=["colours", "live"]), {"link": link.token}).status_code == 404
    assert as_owner.post(reverse("trash_restore", args=["colours"])).status_code == 302
    assert as_owner.get(reverse("project", args=["colours"])).status_code == 200
    assert Sample.objects.count() == 18


def test_page_says_what_goes_with_a_project(trained: ModelVersion, as_owner: Client, tmp_path: Path) -> None:
    store_export(trained, tmp_path)
    page = as_owner.get(reverse("project_delete", args=["colours"])).content.decode()
    for said in ("18 pictures", "3 classes", "1 model version<", "1 export<", "30 days"):
        assert said in page


def test_its_jobs_are_cancelled(filled: Project, owner: User) -> None:
    job = queue_job(AUDIT, project=filled, by=owner)
    trash.delete_project(filled)
    job.refresh_from_db()
    assert job.status == Job.Status.CANCELLED


def test_at_once_wants_the_name(filled: Project, as_owner: Client) -> None:
    address = reverse("project_delete", args=["colours"])
    response = as_owner.post(address, {"at_once": "colors"})
    assert response.status_code == 422
    assert "another one" in response.content.decode()
    assert as_owner.get(address).status_code == 200
    assert as_owner.post(address, {"at_once": "Colours"}).status_code == 302
    assert Job.objects.get(kind=DELETE.name).status == Job.Status.QUEUED


def test_nothing_is_left_of_a_project_that_is_deleted_for_good(
    trained: ModelVersion, owner: User, tmp_path: Path
) -> None:
    store_export(trained, tmp_path)
    publish(trained.project, seed=1)
    store_fake_embeddings(trained.project)
    members.add_member(trained.project, User.objects.create_user("friend").username, "viewer", by=owner)  # type: ignore[arg-type]
    job = purge_at_once(trained.project, owner)
    assert (job.done, job.stage) == (0, "rest")
    assert not Project.objects.exists()
    for model in (Sample, Image, Embedding, ModelVersion, Export, Upload, UploadItem):
        assert not model._base_manager.exists(), model
    assert [path for path in list_files("") if not path.startswith("hub/")] == []


def test_pictures_and_files_of_others_stay(trained: ModelVersion, owner: User, tmp_path: Path) -> None:
    other = create_project("Also colours", by=owner, slug="others")
    add_pictures(other, dict(list(coloured_pictures(6).items())[:9]))
    theirs = publish(other)
    store_export(theirs, tmp_path)
    purge_at_once(trained.project, owner)
    assert Image.objects.count() == 9
    assert Sample.objects.filter(project=other).count() == 9
    call_command("check_files")  # exits otherwise
    assert other.model_versions.get() == theirs


def test_project_that_was_restored_is_not_deleted(filled: Project, owner: User) -> None:
    trash.delete_project(filled)
    job = purging.request_purge(filled, by=owner)
    Project.objects.filter(pk=filled.pk).update(deleted_at=None)
    run_job(job.pk)
    assert Sample.objects.count() == 18
    with pytest.raises(purging.NotInTrash):
        purging.request_purge(filled, by=owner)


def test_project_that_is_being_deleted_is_not_restored(filled: Project, owner: User, as_owner: Client) -> None:
    trash.delete_project(filled)
    job = purging.request_purge(filled, by=owner)
    page = as_owner.post(reverse("trash_restore", args=["colours"]), follow=True).content.decode()
    assert "being deleted for good" in page
    assert as_owner.get(reverse("project", args=["colours"])).status_code == 404
    cancel_job(job)
    as_owner.post(reverse("trash_restore", args=["colours"]))
    assert as_owner.get(reverse("project", args=["colours"])).status_code == 200


def test_deletion_that_failed_is_not_tried_all_the_time(filled: Project, settings: Any) -> None:
    trash.delete_project(filled)
    long_ago = timezone.now() - timedelta(days=settings.TRASH_DAYS, minutes=1)
    Project.objects.filter(pk=filled.pk).update(deleted_at=long_ago)
    purging.purge_expired()
    cancel_job(Job.objects.get(kind=DELETE.name))
    purging.purge_expired()
    assert Job.objects.filter(kind=DELETE.name).count() == 1
    Job.objects.filter(kind=DELETE.name).update(finished_at=timezone.now() - purging.TRIED_AGAIN)
    purging.purge_expired()
    assert Job.objects.filter(kind=DELETE.name).count() == 2


def test_interrupted_job_goes_on(filled: Project, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.services.samples.SLICE", 5)
    trash.delete_project(filled)
    first = purging.request_purge(filled, by=owner)
    assert purging.request_purge(filled, by=owner) == first  # pressed twice
    told: list[int] = []

    def stop(pictures: int) -> None:
        told.append(pictures)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purging.purge_pictures(filled.pk, stop)
    assert (told, Sample.objects.count()) == ([5], 13)
    run_job(first.pk)
    assert not Project.objects.exists()


def test_what_is_old_enough_goes_by_itself(trained: ModelVersion, owner: User, settings: Any) -> None:
    second = publish(trained.project, seed=1)
    doomed = create_project("Old", by=owner)
    kept, gone = (trained, second) if trained.aliases.exists() else (second, trained)
    trash.delete_version(gone)
    trash.delete_project(doomed)
    purging.purge_expired()
    assert ModelVersion.every.count() == 2
    long_ago = timezone.now() - timedelta(days=settings.TRASH_DAYS, minutes=1)
    ModelVersion.every.filter(pk=gone.pk).update(deleted_at=long_ago)
    Project.objects.filter(pk=doomed.pk).update(deleted_at=long_ago)
    purging.purge_expired()
    assert ModelVersion.every.get() == kept
    run_job(Job.objects.get(kind=DELETE.name).pk)
    assert Project.objects.get() == trained.project


def test_live_version_stays(trained: ModelVersion, as_owner: Client) -> None:
    with pytest.raises(trash.LiveStays):
        trash.delete_version(trained)
    page = as_owner.post(reverse("version_delete", args=["colours", 1]), follow=True).content.decode()
    assert "This version is live" in page


def test_deleted_version_gives_its_number_to_nobody_and_comes_back(trained: ModelVersion, as_owner: Client) -> None:
    second = publish(trained.project, seed=1)
    live, other = (trained, second) if trained.aliases.exists() else (second, trained)
    assert as_owner.post(reverse("version_delete", args=["colours", other.number])).status_code == 302
    assert as_owner.get(reverse("version", args=["colours", other.number])).status_code == 404
    assert f"Version {other.number} " in as_owner.get(reverse("trash")).content.decode() + " "
    assert publish(trained.project, seed=2).number == 3
    as_owner.post(reverse("trash_restore_version", args=[other.pk]))
    assert as_owner.get(reverse("version", args=["colours", other.number])).status_code == 200
    assert live.aliases.exists()


def test_version_that_was_trained_again_keeps_the_deleted_one_in_the_trash(trained: ModelVersion) -> None:
    second = publish(trained.project, seed=1)
    gone = second if trained.aliases.exists() else trained
    seed = gone.config["seed"]
    trash.delete_version(gone)
    config = TrainConfig(backbone="testing", seed=seed)
    assert find_version(gone.dataset_version, config) is None
    again = publish(trained.project, seed=seed)
    assert again.number == 3
    with pytest.raises(trash.TakenMeanwhile, match="version 3"):
        trash.restore_version(gone)
    purging.purge_version(gone)
    assert find_version(gone.dataset_version, config) == again  # they have the same files


def test_picture_that_comes_in_at_the_last_moment_goes_too(
    filled: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, late = purging.discard, coloured_pictures(1, seed=900)
    partial = resumable.begin(filled, resumable.Announced("colours.zip", 9), by=owner)

    def bring_in(*args: Any) -> None:
        record(*args)
        add_pictures(filled, late)

    monkeypatch.setattr(purging, "discard", bring_in)
    purge_at_once(filled, owner)
    assert not PartialUpload.objects.filter(pk=partial.pk).exists()
    assert not Project.objects.exists()
    assert not Image.objects.exists()
    assert list(list_files("")) == []


@pytest.mark.parametrize(("hours", "jobs"), [(5, 1), (7, 2)])
def test_deleting_at_once_that_failed_is_tried_again(filled: Project, owner: User, hours: int, jobs: int) -> None:
    trash.delete_project(filled)
    job = purging.request_purge(filled, by=owner)
    ended = timezone.now() - timedelta(hours=hours)
    Job.objects.filter(pk=job.pk).update(status=Job.Status.FAILED, finished_at=ended)
    purging.purge_expired()
    assert Job.objects.filter(kind=DELETE.name).count() == jobs


def test_version_that_was_restored_meanwhile_stays(trained: ModelVersion) -> None:
    trained.aliases.all().delete()
    trash.delete_version(trained)
    in_trash = ModelVersion.every.get(pk=trained.pk)
    trash.restore_version(in_trash)
    purging.purge_version(in_trash)
    assert ModelVersion.objects.filter(pk=trained.pk).exists()


def test_purged_version_takes_its_files_along(trained: ModelVersion, tmp_path: Path) -> None:
    second = publish(trained.project, seed=1)
    gone = second if trained.aliases.exists() else trained
    store_export(gone, tmp_path)
    trash.delete_version(gone)
    call_command("check_files")  # what is in the trash is no orphan and not missing
    purging.purge_version(gone)
    assert gone.artifact_digest not in " ".join(list_files(""))
    assert not Export.objects.exists()
    assert not list(list_files("exports"))


def test_export_is_deleted_and_can_be_made_again(trained: ModelVersion, as_owner: Client, tmp_path: Path) -> None:
    store_export(trained, tmp_path)
    path = Export.objects.get().path
    as_owner.post(reverse("version_export_delete", args=["colours", 1, "tflite"]))
    assert not default_storage.exists(path)
    assert store_export(trained, tmp_path).pk


def test_report_of_an_upload_is_deleted_and_its_pictures_stay(filled: Project, as_owner: Client) -> None:
    upload = Upload.objects.get()
    as_owner.post(reverse("upload_delete", args=["colours", upload.pk]))
    assert not UploadItem.objects.exists()
    assert Sample.objects.filter(upload=None).count() == 18


def test_api_deletes_and_restores(trained: ModelVersion, owner: User, client: Client) -> None:
    headers = {"Authorization": f"Bearer {create_api_key(owner, 'test')[1]}"}
    other = publish(trained.project, seed=1)
    gone = other if trained.aliases.exists() else trained

    def ask(method: str, path: str) -> int:
        return int(getattr(client, method)(f"/api/v1{path}", headers=headers).status_code)

    version = f"/projects/colours/versions/{gone.number}"
    assert [ask("delete", version), ask("get", version), ask("delete", version)] == [204, 404, 404]
    assert [ask("post", f"/trash{version}/restore"), ask("get", version)] == [204, 200]
    assert [ask("delete", "/projects/colours?at_once=colors"), ask("get", "/projects/colours")] == [422, 200]
    assert [ask("delete", "/projects/colours"), ask("get", "/projects/colours")] == [204, 404]
    (listed,) = client.get("/api/v1/trash", headers=headers).json()["projects"]
    assert listed["slug"] == "colours"
    assert [ask("post", "/trash/projects/colours/restore"), ask("get", "/projects/colours")] == [204, 200]
    assert ask("delete", "/projects/colours?at_once=Colours") == 204
    assert ask("delete", "/trash/projects/colours?at_once=no") == 422


def test_trash_is_its_owners(trained: ModelVersion, as_stranger: Client, stranger: User, owner: User) -> None:
    members.add_member(trained.project, "stranger", "editor", by=owner)  # type: ignore[arg-type]
    assert as_stranger.post(reverse("project_delete", args=["colours"])).status_code == 403
    trash.delete_project(trained.project)
    assert "Colours" not in as_stranger.get(reverse("trash")).content.decode()
    for name in ("trash_restore", "trash_purge"):
        assert as_stranger.post(reverse(name, args=["colours"]), {"at_once": "Colours"}).status_code == 404
    for name in ("trash_restore_version", "trash_purge_version"):
        assert as_stranger.post(reverse(name, args=[trained.pk])).status_code == 404
    assert find_role(stranger, trained.project) is not None  # restored, it is shared as before
