"""Leases of the dead are freed, those of the living are not, and a message is sent again only if it is lost."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from billiard.exceptions import WorkerLostError
from django.db import OperationalError, transaction
from django.test import Client
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError

from classifier.jobs import lifecycle, recovery, reporting, sending
from classifier.jobs.kinds import EMBED, INGEST, TRAIN
from classifier.jobs.lifecycle import LeaseLost
from classifier.jobs.results import EmbedResult
from classifier.models import Job, Project
from classifier.outages import BROKER, DATABASE, ROOM, STORAGE, StorageAway, find_outage
from worker import run
from worker.management.commands import run_reaper

KILLED = WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL) Job: 0.")


@pytest.fixture
def job(project: Project) -> Job:
    return sending.queue_job(TRAIN, project=project, by=project.owner)


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Stand for the broker: how many messages each queue has."""
    counts: dict[str, int] = {}
    monkeypatch.setattr(recovery, "count_messages", lambda queue: counts.get(queue, 0))
    return counts


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, queued: dict[str, int]) -> list[int]:
    """Collect what is sent to the broker."""
    numbers: list[int] = []
    monkeypatch.setattr(sending, "_send", lambda batch: numbers.extend(job.pk for job in batch))
    monkeypatch.setattr(transaction, "on_commit", lambda function: function())
    return numbers


def claim(job: Job) -> Job:
    claimed = lifecycle.claim_job(job.pk)
    assert claimed is not None
    return claimed


def age(job: Job, **seconds: float) -> None:
    times = {name: timezone.now() - timedelta(seconds=value) for name, value in seconds.items()}
    Job.objects.filter(pk=job.pk).update(**times)


def recover() -> None:
    reaper = recovery.Reaper(confirm_seconds=0)
    reaper.recover_jobs()


def test_lease_of_a_dead_worker_is_freed_and_the_job_sent_again(job: Job, sent: list[int]) -> None:
    dead = claim(job)
    age(job, heartbeat_at=60)
    recover()
    assert sent == [job.pk]
    assert claim(job).worker_deaths == 1
    with pytest.raises(LeaseLost):  # the dead one was only asleep
        reporting.report(dead, done=5)


def test_living_worker_keeps_its_lease(job: Job, sent: list[int]) -> None:
    claimed = claim(job)
    age(job, heartbeat_at=5)
    recover()
    assert sent == []
    lifecycle.beat(claimed)


def test_heartbeat_is_judged_by_the_clock_of_the_database(
    job: Job, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(timezone, "now", lambda: later)  # this machine is an hour ahead
    claimed = claim(job)
    recover()
    assert sent == []
    lifecycle.beat(claimed)


def test_heartbeat_that_comes_back_while_the_reaper_looks_on_is_no_death(job: Job, sent: list[int]) -> None:
    reaper = recovery.Reaper(confirm_seconds=0.05)
    claimed = claim(job)
    for _ in range(3):  # the database was away, or the laptop slept
        age(job, heartbeat_at=60)
        reaper.recover_jobs()
        lifecycle.beat(claimed)
        reaper.recover_jobs()
    assert sent == []
    assert not Job.objects.filter(worker_deaths__gt=0).exists()


@pytest.mark.parametrize("error", [None, OperationalError("database is locked")])
def test_time_in_which_nobody_could_write_is_no_death(
    job: Job, sent: list[int], monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    reaper = recovery.Reaper(confirm_seconds=0.05)
    claim(job)
    age(job, heartbeat_at=60)
    reaper.recover_jobs()

    @contextmanager
    def wait_for_the_lock() -> Iterator[None]:
        time.sleep(0.1)
        if error is not None:
            raise error
        yield

    with monkeypatch.context() as patched, suppress(OperationalError):
        patched.setattr(recovery, "LONG_WAIT", 0.05)
        patched.setattr(recovery.transaction, "atomic", wait_for_the_lock)
        reaper.recover_jobs()
    reaper.recover_jobs()  # it looks on anew
    assert sent == []
    time.sleep(0.1)
    reaper.recover_jobs()
    assert sent == [job.pk]


def die(job: Job, error: Exception = KILLED) -> None:
    run.free_lease_of_killed_child(args=[job.pk], exception=error)


@pytest.fixture(autouse=True)
def _connection_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.connection, "close", lambda: None)


def test_job_that_kills_every_worker_fails_with_what_happened(job: Job, sent: list[int]) -> None:
    for _ in range(lifecycle.MAX_WORKER_DEATHS):
        claim(job)
        die(job)
    job.refresh_from_db()
    assert job.status == Job.Status.FAILED
    assert "died 3 times at the same point" in job.error
    assert "memory" in job.error


@pytest.mark.parametrize(("number", "word"), [(signal.SIGSEGV, "crashed"), (signal.SIGKILL, "memory")])
def test_sentence_is_about_the_signal(job: Job, sent: list[int], number: int, word: str) -> None:
    for _ in range(lifecycle.MAX_WORKER_DEATHS):
        claim(job)
        die(job, WorkerLostError(f"Worker exited prematurely: signal {int(number)} (NAME) Job: 0."))
    job.refresh_from_db()
    assert word in job.error
    assert ("memory" in job.error) == (word == "memory")


def test_deaths_are_counted_only_without_progress(job: Job, sent: list[int]) -> None:
    for step in range(10):
        reporting.report(claim(job), kept=step + 1)
        die(job)
    job.refresh_from_db()
    assert (job.is_open, job.worker_deaths) == (True, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_worker_that_was_asked_to_stop_did_not_die(job: Job, sent: list[int], number: int) -> None:
    for _ in range(5):
        claim(job)
        die(job, WorkerLostError(f"Worker exited prematurely: signal {int(number)} (NAME) Job: 0."))
    assert claim(job).worker_deaths == 0


def test_leases_are_free_as_soon_as_a_worker_is_asked_to_stop(
    job: Job, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Request:
        name, args = run.run_fair_job.name, [job.pk]

    claim(job)
    monkeypatch.setattr(run, "active_requests", [Request()])
    run.free_leases_at_the_end()
    assert claim(job).worker_deaths == 0


def test_queue_that_nobody_serves_does_not_grow(job: Job, sent: list[int], queued: dict[str, int]) -> None:
    age(job, dispatched_at=60)
    queued["train"] = 1
    recovery.send_lost_messages()
    assert sent == []
    queued["train"] = 0
    recovery.send_lost_messages()
    recovery.send_lost_messages()  # it was sent a moment ago
    assert sent == [job.pk]


def test_full_queue_keeps_no_lost_message_of_another_from_being_sent(
    project: Project, job: Job, sent: list[int], queued: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "SENT_AT_ONCE", 1)
    lost = sending.queue_job(INGEST, project=project, by=project.owner)
    for one in (job, lost):
        age(one, dispatched_at=60)
    queued["train"] = 1
    sent.clear()
    recovery.send_lost_messages()
    assert sent == [lost.pk]


def locked() -> Exception:
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    error = OperationalError("database is locked")
    error.__cause__ = cause
    return error


OUTAGES = [
    (locked(), DATABASE),
    (OperationalError("server closed the connection unexpectedly"), DATABASE),
    (RedisConnectionError("refused"), BROKER),
    (StorageAway("refused"), STORAGE),
    (PermissionError(13, "Permission denied"), STORAGE),
    (OSError(28, "No space left on device"), ROOM),
]


@pytest.mark.parametrize(("error", "outage"), OUTAGES)
def test_what_is_away_is_waited_for(
    job: Job, sent: list[int], monkeypatch: pytest.MonkeyPatch, error: Exception, outage: str, as_owner: Client
) -> None:
    def work(job: Job) -> None:
        raise error

    monkeypatch.setattr("worker.train.train", work)
    pauses = []
    for _ in range(7):
        run.run_job(job.pk)
        job.refresh_from_db()
        assert (job.status, job.lease, job.waits_for, job.worker_deaths) == ("RUNNING", "", outage, 0)
        assert lifecycle.claim_job(job.pk) is None, "it is too early"
        assert job.not_before is not None
        pauses.append(round((job.not_before - timezone.now()).total_seconds()))
        age(job, not_before=1)
    assert pauses == [5, 10, 20, 40, 60, 60, 60]
    page = as_owner.get(job.get_absolute_url()).content.decode()
    assert "continues by itself" in page

    monkeypatch.setattr("worker.train.train", lifecycle.finish_job)
    run.run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.waits_for) == ("SUCCEEDED", "")


def test_database_that_is_away_is_told_once_it_answers(
    job: Job, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(job: Job) -> None:
        raise locked()

    tries: list[str] = []
    postpone = lifecycle.postpone_job

    def refuse_twice(job: Job, outage: str) -> None:
        tries.append(outage)
        if len(tries) < 3:
            raise locked()
        postpone(job, outage)

    monkeypatch.setattr("worker.train.train", work)
    monkeypatch.setattr(lifecycle, "postpone_job", refuse_twice)
    monkeypatch.setattr(run, "OUTAGE_PAUSE", 0)
    run.run_job(job.pk)
    job.refresh_from_db()
    assert (len(tries), job.waits_for) == (3, DATABASE)


@pytest.mark.parametrize("error", [ValueError("ours"), FileNotFoundError(2, "gone"), OperationalError("no such table")])
def test_fault_of_the_work_is_no_outage(error: Exception) -> None:
    if isinstance(error, OperationalError):
        error.__cause__ = sqlite3.OperationalError("no such table")
    assert find_outage(error) == ""


@pytest.mark.parametrize("address", ["/", "/api/v1/projects"])
@pytest.mark.parametrize(("error", "outage"), OUTAGES)
def test_request_is_asked_to_come_again(
    as_owner: Client, monkeypatch: pytest.MonkeyPatch, address: str, error: Exception, outage: str
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise error

    as_owner.raise_request_exception = False
    monkeypatch.setattr("classifier.selectors.list_projects", fail)
    monkeypatch.setattr("classifier.views.home.list_projects", fail)
    answer = as_owner.get(address)
    assert answer.status_code == 503, answer.content
    assert answer.headers["Retry-After"] == "10"
    assert "again" in answer.content.decode()


def test_nothing_ends_the_reaper(db: None) -> None:
    def fail() -> None:
        raise RuntimeError("anything")

    run_reaper._do(fail)


def test_page_of_the_whole_says_what_a_part_waits_for(job: Job, sent: list[int]) -> None:
    parent = claim(job)
    (child,) = sending.queue_children(parent, EMBED, configs=[{"units": 1}])
    lifecycle.park_job(parent)
    lifecycle.postpone_job(claim(child), STORAGE)
    job.refresh_from_db()
    assert job.waits_for == STORAGE
    age(child, not_before=1)
    lifecycle.finish_job(claim(child), EmbedResult(computed=1))
    job.refresh_from_db()
    assert job.waits_for == ""
