"""A job's life: every change is made once, by one."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.jobs import lifecycle, recovery, reporting, sending
from classifier.jobs.kinds import EMBED, TRAIN
from classifier.jobs.lifecycle import LeaseLost
from classifier.jobs.recovery import send_lost_messages
from classifier.jobs.results import EmbedResult, TrainResult
from classifier.models import Job, Project


@pytest.fixture
def job(project: Project) -> Job:
    return sending.queue_job(TRAIN, project=project, by=project.owner)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any) -> list[int]:
    """Collect what is sent to the broker."""
    numbers: list[int] = []
    monkeypatch.setattr(sending, "_send", lambda batch: numbers.extend(job.pk for job in batch))
    monkeypatch.setattr(transaction, "on_commit", lambda function: function())
    return numbers


@pytest.fixture(autouse=True)
def _empty_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "count_messages", lambda queue: 0)


def status_of(job: Job) -> str:
    return Job.objects.values_list("status", flat=True).get(pk=job.pk)


def age(job: Job, **seconds: float) -> None:
    Job.objects.filter(pk=job.pk).update(
        **{name: timezone.now() - timedelta(seconds=value) for name, value in seconds.items()}
    )


def test_claimed_by_one_only(job: Job) -> None:
    first, second = lifecycle.claim_job(job.pk), lifecycle.claim_job(job.pk)
    assert first is not None
    assert first.status == Job.Status.RUNNING
    assert first.started_at is not None
    assert second is None


def test_finished_job_is_not_claimed_again(job: Job) -> None:
    claimed = lifecycle.claim_job(job.pk)
    assert claimed is not None
    lifecycle.finish_job(claimed, TrainResult(model_version=3))
    assert lifecycle.claim_job(job.pk) is None
    job.refresh_from_db()
    assert job.result == {"model_version": 3, "unchanged": False, "stopped_early": False}
    assert job.finished_at is not None


def test_cancelled_job_loses_its_lease_and_publishes_nothing(job: Job) -> None:
    claimed = lifecycle.claim_job(job.pk)
    assert claimed is not None
    assert lifecycle.cancel_job(job)
    with pytest.raises(LeaseLost):
        reporting.report(claimed, done=1)
    with pytest.raises(LeaseLost):
        lifecycle.finish_job(claimed)
    assert not lifecycle.fail_job(job.pk, sentence="too late", lease=claimed.lease)
    assert status_of(job) == Job.Status.CANCELLED


def test_cancel_of_an_ended_job_changes_nothing(job: Job) -> None:
    claimed = lifecycle.claim_job(job.pk)
    assert claimed is not None
    lifecycle.finish_job(claimed)
    assert not lifecycle.cancel_job(job)
    assert status_of(job) == Job.Status.SUCCEEDED


def test_parent_waits_for_children_and_goes_on_after_the_last(job: Job, sent: list[int]) -> None:
    parent = lifecycle.claim_job(job.pk)
    assert parent is not None
    reporting.enter_stage(parent, "embed", total=5)
    children = sending.queue_children(parent, EMBED, configs=[{"units": 2}, {"units": 3}])
    lifecycle.park_job(parent)
    sent.clear()
    age(job, dispatched_at=60)
    for child in children:
        age(child, dispatched_at=1)
    send_lost_messages()
    assert sent == []  # it waits for its children; nothing is lost

    for number, child in enumerate(children):
        assert sent == []
        claimed = lifecycle.claim_job(child.pk)
        assert claimed is not None
        lifecycle.finish_job(claimed, EmbedResult(computed=1))
        job.refresh_from_db()
        assert job.done == (2, 5)[number]
    assert sent == [job.pk]
    assert lifecycle.claim_job(job.pk) is not None


def test_message_that_comes_twice_does_not_queue_the_children_twice(job: Job, sent: list[int]) -> None:
    parent = lifecycle.claim_job(job.pk)
    assert parent is not None
    sending.queue_children(parent, EMBED, configs=[{}])
    lifecycle.park_job(parent)
    assert lifecycle.claim_job(job.pk) is None


def test_parent_whose_last_child_died_before_telling_is_found(job: Job, sent: list[int]) -> None:
    parent = lifecycle.claim_job(job.pk)
    assert parent is not None
    (child,) = sending.queue_children(parent, EMBED, configs=[{}])
    lifecycle.park_job(parent)
    Job.objects.filter(pk=child.pk).update(status="SUCCEEDED", finished_at=timezone.now())  # and then the power failed
    age(job, dispatched_at=60)
    sent.clear()
    send_lost_messages()
    assert sent == [job.pk]


def test_failed_child_fails_its_parent_and_stops_its_siblings(job: Job) -> None:
    parent = lifecycle.claim_job(job.pk)
    assert parent is not None
    first, second = sending.queue_children(parent, EMBED, configs=[{}, {}])
    lifecycle.park_job(parent)
    claimed = lifecycle.claim_job(first.pk)
    assert claimed is not None
    assert lifecycle.fail_job(first.pk, sentence="A picture is missing.", error=OSError("gone"), lease=claimed.lease)
    job.refresh_from_db()
    assert (job.status, job.error) == (Job.Status.FAILED, "A picture is missing.")
    assert "OSError: gone" in job.error_detail
    assert status_of(second) == Job.Status.CANCELLED


def test_cancelled_parent_takes_its_children_along(job: Job) -> None:
    parent = lifecycle.claim_job(job.pk)
    assert parent is not None
    (child,) = sending.queue_children(parent, EMBED, configs=[{}])
    claimed = lifecycle.claim_job(child.pk)
    assert claimed is not None
    lifecycle.cancel_job(job)
    with pytest.raises(LeaseLost):
        lifecycle.beat(claimed)


def test_unreachable_broker_loses_no_job(project: Project, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real _send, and no broker listens
    with transaction.atomic():
        job = sending.queue_job(TRAIN, project=project, by=project.owner)
    assert status_of(job) == Job.Status.QUEUED


@pytest.mark.parametrize(
    "values", [{"status": "DONE"}, {"status": "SUCCEEDED"}, {"status": "RUNNING", "finished_at": timezone.now()}]
)
def test_database_refuses_what_cannot_be(values: dict[str, Any], job: Job) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**values)


def test_only_one_module_writes_status() -> None:
    import re
    from pathlib import Path

    root = Path(__file__).resolve().parents[3]
    writes = re.compile(r"update\([^)]*\b(status|lease)=|\.status\s*=[^=]|\.lease\s*=[^=]")
    for path in [*(root / "classifier").rglob("*.py"), *(root / "worker").rglob("*.py")]:
        if path.name != "lifecycle.py" and "migrations" not in path.parts:
            assert not writes.search(path.read_text()), path
