"""No user and no project keeps the workers from the others for longer than a job takes."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from classifier.jobs import fairness, lifecycle, sending
from classifier.jobs.fairness import REMEMBERED, claim_fairly
from classifier.jobs.kinds import BACKBONE, EMBED, IMPORT, TRAIN
from classifier.models import Job, Project
from classifier.services.projects import create_project
from classifier.services.users import set_quota


@pytest.fixture
def neighbour(stranger: User) -> Project:
    return create_project("Next door", by=stranger)


def queue(project: Project, count: int) -> list[Job]:
    """Queue the embedding of a project in so many parts."""
    parent = lifecycle.claim_job(sending.queue_job(TRAIN, project=project, by=project.owner).pk)
    assert parent is not None
    return sending.queue_children(parent, EMBED, configs=[{"units": 1}] * count)


def take(messages: list[Job]) -> Iterator[Job]:
    """Take the jobs as free workers do, message by message."""
    for message in messages:
        job = claim_fairly(message.pk)
        assert job is not None
        yield job


def test_next_free_worker_goes_to_who_has_the_fewest_running(project: Project, neighbour: Project) -> None:
    many = queue(project, 20)
    workers = take(many)
    assert [next(workers).project, next(workers).project] == [project, project]
    few = queue(neighbour, 3)
    taken = [next(workers).project for _ in range(4)]
    assert taken[:2] == [neighbour, neighbour]
    assert claim_fairly(few[0].pk) is not None


def test_projects_of_one_user_share_too(project: Project) -> None:
    other = create_project("Other", by=project.owner)
    many = queue(project, 10)
    workers = take(many)
    assert next(workers).project == project
    queue(other, 2)
    assert next(workers).project == other


def test_single_worker_takes_turns_between_users_and_their_projects(project: Project, neighbour: Project) -> None:
    other = create_project("Other", by=project.owner)
    jobs = [sending.queue_job(TRAIN, project=one, by=one.owner) for one in [project] * 4 + [other] * 2]
    jobs += [sending.queue_job(TRAIN, project=neighbour, by=neighbour.owner) for _ in range(2)]
    taken = []
    for job in take(jobs):
        taken.append(job.project)
        lifecycle.finish_job(job)
    assert taken == [project, neighbour, other, neighbour, project, other, project, project]


def test_turn_of_long_ago_counts_no_more(project: Project, neighbour: Project) -> None:
    first, second = (sending.queue_job(TRAIN, project=project, by=project.owner) for _ in range(2))
    lifecycle.finish_job(next(take([first])))
    Job.objects.filter(pk=first.pk).update(started_at=timezone.now() - 2 * REMEMBERED)
    sending.queue_job(TRAIN, project=neighbour, by=neighbour.owner)
    assert next(take([second])).project == project


def test_worker_that_is_overtaken_looks_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = queue(project, 2)
    listed = fairness._list_fairly

    def overtaken(kinds: list[str]) -> list[int]:
        found = listed(kinds)
        if first.pk in found:  # by somebody whose message was for the second
            assert lifecycle.claim_job(first.pk, message=second.pk) is not None
        return found

    monkeypatch.setattr(fairness, "_list_fairly", overtaken)
    job = claim_fairly(first.pk)
    assert job is not None
    assert job.pk == second.pk
    assert claim_fairly(second.pk) is None


def test_every_job_is_taken_once(project: Project, neighbour: Project) -> None:
    jobs = queue(project, 7) + queue(neighbour, 5)
    taken = [job.pk for job in take(jobs)]
    assert sorted(taken) == sorted(job.pk for job in jobs)
    assert claim_fairly(jobs[0].pk) is None


def test_jobs_of_one_user_come_in_their_order(project: Project) -> None:
    jobs = queue(project, 5)
    assert [job.pk for job in take(list(reversed(jobs)))] == [job.pk for job in jobs]


def test_strangers_files_keep_no_training_waiting() -> None:
    assert {BACKBONE.queue, IMPORT.queue} == {"untrusted"}
    assert TRAIN.queue != "untrusted"


@pytest.mark.parametrize("own", [None, 2])
def test_user_has_so_many_open_jobs_at_most(
    own: int | None, project: Project, as_owner: Client, stranger: User, settings: Any
) -> None:
    settings.QUOTA_USER_JOBS = 2 if own is None else 1
    set_quota(project.owner, jobs=own, by=stranger)
    for _ in range(2):
        job = sending.queue_job(TRAIN, project=project, by=project.owner)
    with pytest.raises(sending.TooManyJobs, match="2 jobs open"):
        sending.queue_job(TRAIN, project=project, by=project.owner)
    lifecycle.cancel_job(job)
    sending.queue_job(TRAIN, project=project, by=project.owner)
