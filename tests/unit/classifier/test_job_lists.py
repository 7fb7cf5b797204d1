"""The lists of jobs, each one's place in the queue, and what open pages ask for."""

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from classifier import live
from classifier.jobs import lifecycle, reporting, sending
from classifier.jobs.fairness import _list_fairly, claim_fairly, foretell_order
from classifier.jobs.kinds import AUDIT, EXPORT, GET_READY, TRAIN, kinds_sharing_workers
from classifier.jobs.queueing import find_place, list_positions
from classifier.models import Job, Project
from classifier.services.projects import create_project


def queue(project: Project, kind: Any = EXPORT, **config: Any) -> Job:
    return sending.queue_job(kind, project=project, by=project.owner, config=config)


@pytest.fixture(autouse=True)
def _fresh_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_snapshot", live._Snapshot())


@pytest.fixture
def others(stranger: User) -> Project:
    return create_project("Theirs", by=stranger)


def test_order_foretold_is_the_one_in_which_workers_take_them(project: Project, others: Project) -> None:
    mine = [queue(project) for _ in range(4)]
    theirs = [queue(others) for _ in range(2)]
    waiting = kinds_sharing_workers("export")
    foretold = foretell_order(waiting)
    assert set(foretold) == {job.pk for job in [*mine, *theirs]}
    taken = []
    while _list_fairly(waiting):
        job = claim_fairly(mine[0].pk)
        assert job is not None
        taken.append(job.pk)
        lifecycle.finish_job(job)
    assert foretold == taken


def test_background_comes_last(project: Project) -> None:
    early, export = queue(project, GET_READY), queue(project)
    audit = queue(project, AUDIT)
    assert foretell_order(kinds_sharing_workers("get_ready")) == [audit.pk, early.pk]
    assert foretell_order(kinds_sharing_workers("export")) == [export.pk]


def test_place_tells_what_is_ahead(project: Project, others: Project) -> None:
    first, foreign, second = queue(project), queue(others), queue(project)
    running = lifecycle.claim_job(first.pk)
    assert running is not None
    place = find_place(second)
    assert place is not None
    assert (place.position, place.running, place.waiting) == (2, [first], [foreign])
    assert place.seconds
    assert find_place(running) is None
    assert list_positions([second, foreign, running]) == {foreign.pk: 1, second.pk: 2}


def test_page_tells_nothing_of_other_peoples_jobs_but_that_there_are_some(
    project: Project, others: Project, as_owner: Client
) -> None:
    queue(others), queue(others)
    job = queue(project)
    lifecycle.claim_job(Job.objects.filter(project=others).order_by("pk")[0].pk)
    page = as_owner.get(job.get_absolute_url()).content.decode()
    assert "1 job of other people" in page
    assert "Theirs" not in page
    assert "1 job of other people" in page


def test_list_shows_the_jobs_of_all_ones_projects_and_nobody_elses(
    project: Project, others: Project, as_owner: Client
) -> None:
    second = create_project("Second", by=project.owner)
    for one in (project, second, others):
        queue(one)
    page = as_owner.get(reverse("all_jobs")).content.decode()
    assert page.count("job-row") == 2
    assert "Second" in page
    assert "Theirs" not in page


def test_list_is_filtered(project: Project, as_owner: Client) -> None:
    ended, second = queue(project), create_project("Second", by=project.owner)
    lifecycle.cancel_job(ended)
    queue(project, TRAIN), queue(second)

    def rows(**chosen: str) -> int:
        return as_owner.get(reverse("all_jobs"), chosen).content.decode().count("job-row")

    assert rows() == rows(state="", kind="nonsense") == 3
    assert rows(state="open") == 2
    assert rows(state="cancelled") == rows(kind="train") == rows(project=second.slug) == 1
    assert "No job is like that" in as_owner.get(reverse("all_jobs"), {"state": "failed"}).content.decode()


def test_list_is_paged_by_key(project: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.views.job.PAGE", 2)
    jobs = [queue(project) for _ in range(3)]
    page = as_owner.get(reverse("all_jobs"), {"state": "open"}).content.decode()
    assert f"?state=open&amp;before={jobs[1].pk}" in page
    rest = as_owner.get(reverse("all_jobs"), {"state": "open", "before": jobs[1].pk}).content.decode()
    assert rest.count("job-row") == 1
    assert as_owner.get(reverse("all_jobs"), {"before": "9" * 30}).status_code == 200


def test_empty_list_says_what_to_do_next(as_owner: Client) -> None:
    assert "There are no jobs yet" in as_owner.get(reverse("all_jobs")).content.decode()


def test_api_lists_and_filters(project: Project, others: Project, as_owner: Client) -> None:
    queue(others)
    jobs = [queue(project), queue(project, TRAIN)]
    found = as_owner.get("/api/v1/jobs").json()
    assert [job["id"] for job in found] == [jobs[1].pk, jobs[0].pk]
    assert {job["position"] for job in found} == {2, 3}
    assert [job["id"] for job in as_owner.get("/api/v1/jobs?kind=train").json()] == [jobs[1].pk]
    assert [job["id"] for job in as_owner.get(f"/api/v1/jobs?before={jobs[1].pk}").json()] == [jobs[0].pk]
    assert as_owner.get("/api/v1/jobs?project=theirs").json() == []
    assert as_owner.get("/api/v1/jobs?state=nonsense").status_code == 422


def poll(client: Client, ticket: str, version: str = "") -> Any:
    live._snapshot.taken = -1.0  # as if a second had passed
    return client.get(f"/live/{ticket}?{version}")


def test_poll_answers_without_news_until_something_changes(project: Project, client: Client) -> None:
    job = queue(project, TRAIN)
    ticket = live.make_ticket([job])
    first = poll(client, ticket).json()
    assert first["jobs"] == [
        {"job": job.pk, "stamp": live.stamp(job), "percent": 0.0, "counts": "", "eta": None, "late": None}
    ]
    assert poll(client, ticket, first["version"]).status_code == 204
    claimed = lifecycle.claim_job(job.pk)
    assert claimed is not None
    reporting.enter_stage(claimed, "embed", total=100)
    reporting.report(claimed, done=25)
    news = poll(client, ticket, first["version"])
    assert news.status_code == 200
    assert news["Cache-Control"] == "private, no-store"
    (told,) = news.json()["jobs"]
    claimed.refresh_from_db()
    assert told["stamp"] == live.stamp(claimed) != live.stamp(job)
    assert told["counts"].startswith("25 of 100 pictures")
    assert told["eta"] > 0


def test_poll_of_an_ended_or_deleted_job_says_so(project: Project, client: Client) -> None:
    jobs = [queue(project), queue(project)]
    ticket = live.make_ticket(jobs)
    lifecycle.cancel_job(jobs[0])
    jobs[1].delete()
    assert [job["stamp"] for job in poll(client, ticket).json()["jobs"]] == ["ended", "ended"]
    assert live.make_ticket([Job(pk=1, status=Job.Status.FAILED)]) == ""


def test_forged_and_old_tickets_are_refused(project: Project, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = live.make_ticket([queue(project)])
    number, rest = ticket.split(":", 1)
    for forged in ("", "1", f"{int(number) + 1}:{rest}", ticket[:-1], ticket + "x", signing.dumps(1)):
        assert poll(client, forged).status_code == 410
    later = time.time() + live.TICKET_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert poll(client, ticket).status_code == 410


def test_poll_while_the_database_is_away(project: Project, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = live.make_ticket([queue(project)])

    def away(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(live._Snapshot, "look", away)
    assert poll(client, ticket).status_code == 503


def test_poll_asks_the_database_once_a_second(project: Project, client: Client, django_assert_num_queries: Any) -> None:
    tickets = [live.make_ticket([queue(project)]) for _ in range(3)]
    poll(client, tickets[0])
    versions = [client.get(f"/live/{ticket}").json()["version"] for ticket in tickets]
    with django_assert_num_queries(0):
        for ticket, version in zip(tickets, versions, strict=True):
            assert client.get(f"/live/{ticket}?{version}").status_code == 204
