"""The log of a job: what happened to it, in words, on its page and as a file."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle, reporting, sending
from classifier.jobs import log as job_log
from classifier.jobs.kinds import EMBED, GET_READY, INGEST, TRAIN
from classifier.jobs.log import WARNING, write_line
from classifier.models import Job, JobLogLine, Project
from classifier.outages import STORAGE


def lines(job: Job) -> list[tuple[str, str]]:
    return list(job.log_lines.values_list("level", "text"))


def texts(job: Job) -> list[str]:
    return [text for _, text in lines(job)]


def claimed(project: Project, worker: str = "trainer@here") -> Job:
    job = lifecycle.claim_job(
        sending.queue_job(TRAIN, project=project, by=project.owner, config={"backbone": "testing"}).pk, worker=worker
    )
    assert job is not None
    return job


def claim(job: Job) -> Job:
    Job.objects.filter(pk=job.pk).update(not_before=None)
    found = lifecycle.claim_job(job.pk, worker="trainer@there")
    assert found is not None
    return found


def test_whole_life_is_told(project: Project) -> None:
    job = claimed(project)
    reporting.enter_stage(job, "embed", total=1200)
    reporting.enter_stage(job, "freeze", total=1)
    lifecycle.finish_job(job)
    assert texts(job) == [
        "Queued by owner.",
        "Taken by the worker trainer@here.",
        "Computing features of the pictures: 1,200 pictures.",
        "Writing down which pictures are used.",
        "Done after 0 s.",
    ]
    job.refresh_from_db()
    assert (job.worker, job.attempts) == ("trainer@here", 1)


def test_breaks_are_told_with_their_reason_and_count_as_attempts(project: Project) -> None:
    job = claimed(project)
    lifecycle.postpone_job(job, STORAGE)
    job = claim(job)
    lifecycle.count_death(job, "It ran out of memory.")
    job = claim(job)
    lifecycle.free_lease(job)
    job = claim(job)
    lifecycle.fail_job(job.pk, sentence="A picture is missing.")
    assert [level for level, _ in lines(job)] == [
        *("info", "info", "warning", "info", "warning", "info", "warning", "info", "error")
    ]
    assert lines(job)[2] == (
        "warning",
        "The file storage does not answer at the moment. The job continues by itself once it does.",
    )
    assert lines(job)[4] == ("warning", "The worker died. It ran out of memory. Another one goes on.")
    assert lines(job)[-2:] == [
        ("info", "Taken by the worker trainer@there, attempt 4."),
        ("error", "A picture is missing."),
    ]


def test_question_and_answer_are_told(project: Project) -> None:
    job = lifecycle.claim_job(sending.queue_job(INGEST, project=project, by=project.owner).pk)
    assert job is not None
    lifecycle.ask(job)
    lifecycle.answer_job(job)
    lifecycle.cancel_job(job)
    assert texts(job)[-3:] == [
        "Nothing is stored until you have looked at what was understood, on the page of the upload.",
        "Somebody has answered; it goes on.",
        "Cancelled.",
    ]


def test_parts_write_to_the_log_of_the_whole_and_only_what_is_unusual(project: Project) -> None:
    parent = claimed(project)
    (child,) = sending.queue_children(parent, EMBED, configs=[{}])
    lifecycle.park_job(parent)
    part = lifecycle.claim_job(child.pk)
    assert part is not None
    lifecycle.count_death(part, "It ran out of memory.")
    part = lifecycle.claim_job(child.pk)
    assert part is not None
    lifecycle.finish_job(part)
    lifecycle.finish_job(claim(parent))
    assert texts(parent)[2:] == ["The worker died. It ran out of memory. Another one goes on.", "Done after 0 s."]
    assert not JobLogLine.objects.exclude(job=parent).exists()


def test_background_writes_none(project: Project) -> None:
    job = lifecycle.claim_job(sending.queue_job(GET_READY, project=project, by=project.owner).pk)
    assert job is not None
    lifecycle.finish_job(job)
    assert not JobLogLine.objects.exists()


def test_same_line_again_is_one(project: Project) -> None:
    job = claimed(project)
    for _ in range(3):
        write_line(job, "The line is slow.", WARNING)
    assert texts(job).count("The line is slow.") == 1


def test_log_is_bounded_and_keeps_its_beginning(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_log, "MOST_LINES", 100)
    job = claimed(project)
    for number in range(200):
        write_line(job, f"Warning {number} " + "x" * 1000, WARNING)
    assert job.log_lines.count() <= 100
    assert texts(job)[0] == "Queued by owner."
    assert texts(job)[-1].startswith("Warning 199")
    assert max(map(len, texts(job))) == job_log.LONGEST


def test_line_breaks_cannot_forge_lines(project: Project) -> None:
    job = claimed(project)
    write_line(job, "a.jpg\n2026-01-01 00:00:00 ERROR   forged", WARNING)
    text = "".join(job_log.log_as_text(job.log_lines.all()))
    assert len(text.splitlines()) == 3


def test_page_shows_the_log_and_sends_it(project: Project, as_owner: Client) -> None:
    job = claimed(project)
    write_line(job, "Something <odd>.", WARNING)
    page = as_owner.get(job.get_absolute_url()).content.decode()
    assert "Something &lt;odd&gt;." in page
    assert "trainer@here" in page
    answer = as_owner.get(reverse("job_log", args=[project.slug, job.number]))
    assert answer["Content-Disposition"] == 'attachment; filename="colours-job1-log.txt"'
    assert b"".join(answer).decode().splitlines()[2].endswith("WARNING Something <odd>.")  # type: ignore[arg-type]


def test_api_returns_the_log(project: Project, as_owner: Client) -> None:
    job = claimed(project)
    found: Any = as_owner.get(f"/api/v1/jobs/{job.pk}/log").json()
    assert [line["text"] for line in found] == texts(job)
    told = as_owner.get(f"/api/v1/jobs/{job.pk}").json()
    assert (told["worker"], told["attempts"], told["project"]) == ("trainer@here", 1, "colours")
    assert as_owner.get(f"/api/v1/jobs/{job.pk}/log.txt")["Content-Type"].startswith("text/plain")
