"""When a candidate is trained: after a rest, below what somebody waits for, and once."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from classifier.jobs import lifecycle, sending
from classifier.jobs.fairness import claim_fairly
from classifier.jobs.kinds import CANDIDATE, EMBED, GET_READY, TRAIN
from classifier.models import Candidate, Job, Project
from classifier.services import candidate_queue
from classifier.services.candidates import find_state
from classifier.services.project_settings import change_settings
from tests.datasets import coloured_pictures
from tests.unit.classifier.candidates.conftest import candidate_files, candidate_of, work
from tests.unit.classifier.conftest import add_pictures
from worker.run import run_fair_job

pytestmark = pytest.mark.django_db(transaction=True)  # what is queued when a transaction commits


def test_nothing_is_trained_where_nobody_asked_for_it(project: Project) -> None:
    add_pictures(project, coloured_pictures(6))
    assert not Job.objects.filter(kind=CANDIDATE.name).exists()
    assert find_state(project) is None


def test_changes_coalesce_and_wait_for_a_rest(fresh: Project, end_of_rest: None) -> None:
    Job.objects.filter(kind=CANDIDATE.name).delete()
    for _ in range(5):
        candidate_queue.train_soon(fresh)
    (job,) = candidate_queue.list_open(fresh)
    assert job.not_before is not None
    left = (job.not_before - timezone.now()).total_seconds()
    assert 3.5 < left < 6
    assert claim_fairly(job.pk) is None
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now() + timedelta(seconds=1))
    candidate_queue.train_soon(fresh)
    (again,) = candidate_queue.list_open(fresh)
    assert again.pk == job.pk
    assert again.not_before is not None
    assert again.not_before > timezone.now() + timedelta(seconds=3)  # the rest begins anew


def test_worker_is_told_when_the_rest_is_over(
    fresh: Project, end_of_rest: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float | None] = []
    monkeypatch.setattr(sending, "_send", lambda jobs: told.extend(map(sending._seconds_until_due, jobs)))
    Job.objects.filter(kind=CANDIDATE.name).delete()
    candidate_queue.train_soon(fresh)
    assert len(told) == 1
    assert told[0] is not None
    assert 3.5 < told[0] < 6.2
    (job,) = candidate_queue.list_open(fresh)
    job.not_before = lifecycle.NEVER
    assert sending._seconds_until_due(job) is None


def test_superseded_run_stops_and_writes_nothing(fresh: Project) -> None:
    before = candidate_of(fresh)
    candidate_queue.train_soon(fresh)
    (job,) = candidate_queue.list_open(fresh)
    running = lifecycle.claim_job(job.pk)
    assert running is not None
    candidate_queue.train_soon(fresh)
    assert [one.pk for one in candidate_queue.list_open(fresh)] != [job.pk]
    from worker.candidate import train_candidate

    with pytest.raises(lifecycle.LeaseLost):
        train_candidate(running)
    assert candidate_of(fresh).pk == before.pk
    assert Job.objects.filter(kind=CANDIDATE.name, status__in=Job.OPEN).count() == 1


def test_it_gives_way_to_all_that_somebody_waits_for(fresh: Project) -> None:
    candidate_queue.train_soon(fresh)
    (job,) = candidate_queue.list_open(fresh)
    parent = lifecycle.claim_job(sending.queue_job(TRAIN, project=fresh, by=fresh.owner).pk)
    assert parent is not None
    (part,) = sending.queue_children(parent, EMBED, configs=[{"units": 1}])
    taken = claim_fairly(job.pk)
    assert taken is not None
    assert taken.pk == part.pk


def test_nobody_sees_it_among_the_jobs(fresh: Project, as_owner: Client) -> None:
    assert as_owner.get(f"/api/v1/projects/{fresh.slug}/jobs").json() == []


def test_new_pictures_are_embedded_first(fresh: Project) -> None:
    before = candidate_of(fresh).artifact_digest
    add_pictures(fresh, coloured_pictures(3, seed=1000))
    run_fair_job(candidate_queue.list_open(fresh)[0].pk)
    assert Job.objects.filter(kind=GET_READY.name, status__in=Job.OPEN).exists()
    work()
    assert candidate_of(fresh).artifact_digest != before
    assert candidate_of(fresh).accuracy.n == fresh.samples.count()


def test_switching_off_leaves_nothing(fresh: Project) -> None:
    candidate_queue.train_soon(fresh)
    project = change_settings(fresh, up_to_date=False)
    assert not Candidate.objects.exists()
    assert candidate_files(fresh) == []
    assert candidate_queue.list_open(project) == []
    assert find_state(project) is None
