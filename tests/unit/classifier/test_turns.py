"""What takes hours lets others have the worker in between, and goes on where it was."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone

from classifier.jobs import lifecycle, sending
from classifier.jobs.fairness import PATIENCE, others_wait
from classifier.jobs.kinds import EMBED, TRAIN, JobKind
from classifier.models import Job, Project, Sample, Upload, UploadItem
from classifier.services import uploads
from classifier.services.projects import create_project
from tests.datasets import coloured_pictures, make_tgz
from worker import turns
from worker.run import _work_on

LONG_AGO = timedelta(minutes=1)


@pytest.fixture
def neighbour(stranger: User) -> Project:
    return create_project("Next door", by=stranger)


@pytest.fixture
def upload(project: Project, monkeypatch: pytest.MonkeyPatch) -> Upload:
    """Upload an archive that is read in several batches, after each of which its turn may be over."""
    monkeypatch.setattr(uploads, "BATCH", 4)
    for name in ("LEAST_SECONDS", "TIMES_BEGINNING", "LOOK_SECONDS"):
        monkeypatch.setattr(turns, name, 0)
    return uploads.receive_archive(project, ContentFile(make_tgz(coloured_pictures(6))), "a.tgz", by=project.owner)


def wait(project: Project, kind: JobKind, *, since: timedelta = LONG_AGO) -> Job:
    job = sending.queue_job(kind, project=project, by=project.owner)
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - since)
    return job


def work(job: Job | None, worker: str = "worker@here") -> Job:
    """Do what a worker does that has taken the job; return what has become of it."""
    assert job is not None
    claimed = lifecycle.claim_job(job.pk, worker=worker)
    assert claimed is not None
    _work_on(claimed)
    claimed.refresh_from_db()
    return claimed


def test_reading_gives_way_to_who_waits_and_goes_on(upload: Upload, neighbour: Project) -> None:
    other = wait(neighbour, EMBED)
    job = work(upload.job)
    assert (job.status, job.lease, job.worker_deaths) == (Job.Status.RUNNING, "", 0)
    assert 0 < UploadItem.objects.count() < 18
    assert job.log_lines.filter(text__startswith="Others are waiting").exists()
    Job.objects.filter(pk=other.pk).delete()
    assert work(job).status == Job.Status.SUCCEEDED
    assert UploadItem.objects.count() == Sample.objects.count() == 18


@pytest.mark.parametrize("who", ["nobody", "the same user", "for a moment", "for other workers", "has one running"])
def test_reading_goes_on_where_nobody_has_to_wait(who: str, upload: Upload, neighbour: Project) -> None:
    if who == "the same user":
        wait(upload.project, EMBED)
    if who == "for a moment":
        wait(neighbour, EMBED, since=PATIENCE / 5)
    if who == "for other workers":
        wait(neighbour, TRAIN)
    if who == "has one running":
        assert lifecycle.claim_job(wait(neighbour, EMBED).pk)
        wait(neighbour, EMBED)
    assert work(upload.job).status == Job.Status.SUCCEEDED


def test_command_gives_way_to_nobody(upload: Upload, neighbour: Project) -> None:
    wait(neighbour, EMBED)
    assert work(upload.job, f"{turns.BY_HAND}here").status == Job.Status.SUCCEEDED


def test_turn_lasts_long_enough_for_what_its_beginning_costs(
    upload: Upload, neighbour: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(turns, "LEAST_SECONDS", 60)
    monkeypatch.setattr(turns, "TIMES_BEGINNING", 10)
    monkeypatch.setattr(turns.time, "monotonic", lambda: clock[0])
    wait(neighbour, EMBED)
    assert upload.job is not None
    job = lifecycle.claim_job(upload.job.pk, worker="worker@here")
    assert job is not None
    assert others_wait(job)
    turn = turns.LongTurn(job)
    clock[0] = 20.0  # until it got to where it had been
    for clock[0] in (20.0, 60.0, 199.0):
        turn.kept()
    clock[0] = 201.0
    with pytest.raises(lifecycle.LeaseLost):
        turn.kept()
