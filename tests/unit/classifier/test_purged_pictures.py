"""Somebody deletes pictures for good while somebody else uploads the same: whoever is told “stored” has them."""

import os
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.utils import timezone

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import INGEST
from classifier.models import Image, Job, Project, PurgedPicture, Sample
from classifier.services import samples, uploads
from classifier.services.erasing import erase_samples
from classifier.services.incoming_files import IncomingFile, read_incoming_file, sync_incoming
from classifier.services.outcomes import Outcome, record_files
from classifier.services.projects import create_project
from classifier.services.purged_pictures import KEPT, REQUEST, sweep_purged
from ml.datasets.archives import ArchiveEntry
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import upload_pictures

RED = coloured_pictures(1)["red/0.jpg"]
STORED, REJECTED = "stored", "rejected"


def skip_in_buckets() -> None:
    if not hasattr(default_storage, "write_unsynced"):
        pytest.skip("In a bucket, what is there is not stored again, and its time cannot be set.")


@pytest.fixture
def trashed(project: Project, owner: User) -> Project:
    """Return a project whose only picture is in the trash."""
    upload_pictures(project, [("red.jpg", "red", RED)])
    samples.delete_samples(project, Sample.objects.filter(project=project), by=owner)
    return project


@pytest.fixture
def other(stranger: User) -> Project:
    return create_project("Other", by=stranger)


def store() -> list[IncomingFile]:
    """Do what an upload does before it makes rows."""
    files = [read_incoming_file(ArchiveEntry("again.jpg", "red", RED, None))]
    sync_incoming(files)
    return files


def put_into_rows(project: Project, files: list[IncomingFile]) -> Outcome:
    (outcome,) = record_files(uploads.start_upload(project, "again", by=project.owner), files)
    return outcome


def path() -> str:
    return Image.objects.get().path


def age(name: str, by: timedelta) -> None:
    skip_in_buckets()
    then = time.time() - by.total_seconds()
    os.utime(default_storage.path(name), (then, then))


def test_purged_picture_is_gone_at_once(trashed: Project) -> None:
    name = path()
    samples.purge_samples(trashed)
    assert not default_storage.exists(name)
    assert not Image.objects.exists()


def test_picture_that_is_uploaded_while_it_is_purged_is_kept(trashed: Project, other: Project) -> None:
    skip_in_buckets()
    name, files = path(), store()
    samples.purge_samples(trashed)
    assert put_into_rows(other, files).status == STORED
    assert default_storage.exists(name)
    assert not PurgedPicture.objects.exists()


def test_picture_whose_file_has_gone_before_its_row_was_made_is_refused(trashed: Project, other: Project) -> None:
    name, files = path(), store()
    age(name, timedelta(hours=1))  # in a bucket, what is there already is not stored again
    samples.purge_samples(trashed)
    outcome = put_into_rows(other, files)
    assert (outcome.status, "Upload it again." in outcome.reason) == (REJECTED, True)
    assert not Image.objects.exists()
    assert put_into_rows(other, store()).status == STORED
    assert default_storage.exists(name)


def test_picture_that_got_its_row_before_the_files_went_is_kept(
    trashed: Project, other: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, files = path(), store()
    age(name, timedelta(hours=1))
    delete = samples.delete_purged_files

    def later(sha256s: list[str]) -> None:
        assert put_into_rows(other, files).status == STORED
        delete(sha256s)

    monkeypatch.setattr(samples, "delete_purged_files", later)
    samples.purge_samples(trashed)
    assert default_storage.exists(name)


def test_file_that_was_stored_again_and_got_no_row_goes_minutes_later(trashed: Project) -> None:
    skip_in_buckets()
    name = path()
    store()
    samples.purge_samples(trashed)
    sweep_purged()
    assert default_storage.exists(name), "a request may be about to make the row"
    age(name, REQUEST)
    PurgedPicture.objects.update(stored_until=timezone.now() - KEPT)
    sweep_purged()
    assert not default_storage.exists(name)
    assert PurgedPicture.objects.filter(is_left=False).exists(), "or nobody is told that the file has gone"
    PurgedPicture.objects.update(purged_at=timezone.now() - KEPT)
    sweep_purged()
    assert not PurgedPicture.objects.exists()


@pytest.mark.parametrize("is_open", [True, False])
def test_file_waits_for_jobs_that_may_have_stored_it(is_open: bool, trashed: Project, other: Project) -> None:
    name = path()
    job = sending.queue_job(INGEST, project=other, by=other.owner)
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(hours=2))
    if not is_open:
        lifecycle.cancel_job(job)
    store()
    Image.objects.update(created_at=timezone.now() - timedelta(days=1))
    age(name, timedelta(hours=1))
    samples.purge_samples(trashed)
    assert default_storage.exists(name) == is_open


def test_picture_that_came_twice_is_erased_although_it_was_stored_again(filled: Project, owner: User) -> None:
    name = Image.objects.get(samples__file_name="red/0.jpg").path
    upload_pictures(filled, [("again.jpg", "red", RED)])
    Image.objects.update(created_at=timezone.now() - timedelta(days=1))
    age(name, timedelta(minutes=10))
    erase_samples(filled, Sample.objects.filter(project=filled, file_name="red/0.jpg"), by=owner)
    assert not default_storage.exists(name)


def test_old_file_of_a_restored_site_is_gone_at_once(trashed: Project) -> None:
    name = path()
    Image.objects.update(created_at=Image.objects.get().created_at - timedelta(days=400))
    age(name, timedelta(days=30))  # when it was restored, long after its row was made
    samples.purge_samples(trashed)
    assert not default_storage.exists(name)


def test_picture_that_others_have_stays(trashed: Project, other: Project) -> None:
    name = path()
    put_into_rows(other, store())
    samples.purge_samples(trashed)
    assert default_storage.exists(name)
    assert not PurgedPicture.objects.exists()


def test_row_that_vanishes_while_it_is_looked_for_is_made_again(
    trashed: Project, other: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from classifier.services import images

    skip_in_buckets()
    files, insert, calls = store(), images.insert_rows, []

    def purge_first(*args: Any, **options: Any) -> Any:
        made = insert(*args, **options)
        if not calls:
            calls.append(samples.purge_samples(trashed))
        return made

    monkeypatch.setattr(images, "insert_rows", purge_first)
    assert put_into_rows(other, files).status == STORED
    assert default_storage.exists(path())
