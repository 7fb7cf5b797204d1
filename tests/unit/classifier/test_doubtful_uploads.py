"""An archive whose layout is doubtful waits for a person's answer: on its page, over the API; nothing is guessed."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle
from classifier.jobs.recovery import send_lost_messages
from classifier.jobs.state import read_state
from classifier.models import Job, Project, Sample, Upload
from classifier.services import uploads
from tests.datasets import make_zip
from tests.pictures import make_jpeg
from worker.run import run_job

DOUBTFUL = ("x/good/1.jpg", "x/bad/2.jpg", "y/good/3.jpg", "y/bad/4.jpg")
CLEAR = ("train/cat/1.jpg", "train/dog/2.jpg", "test/3.jpg")


def archive(names: tuple[str, ...] = DOUBTFUL) -> SimpleUploadedFile:
    files = {name: make_jpeg(seed, (8, 8)) for seed, name in enumerate(names)}
    return SimpleUploadedFile("a.zip", make_zip(files), "application/zip")


@pytest.fixture
def browser(project: Project, client: Client) -> Client:
    client.force_login(project.owner)
    return client


def asked(project: Project) -> tuple[Upload, Job]:
    upload = uploads.receive_archive(project, archive(), "a.zip", by=project.owner)
    assert upload.job is not None
    run_job(upload.job.pk)
    return Upload.objects.get(pk=upload.pk), Job.objects.get(pk=upload.job.pk)


def post(browser: Client, project: Project, path: str = "", **fields: Any) -> Any:
    return browser.post(f"/api/v1/projects/{project.slug}/uploads{path}", fields)


def test_doubtful_archive_waits_and_stores_nothing(project: Project) -> None:
    _, job = asked(project)
    assert (job.status, job.lease, job.waits_for) == ("RUNNING", "", "an answer")
    assert not project.samples.exists()
    assert not job.upload.items.exists()


def test_question_comes_without_pictures_after_a_worker_has_died(project: Project) -> None:
    upload = uploads.receive_archive(project, archive(), "a.zip", by=project.owner)
    Job.objects.filter(pk=upload.job_id).update(worker_deaths=1)
    run_job(upload.job_id or 0)
    job = Job.objects.get(pk=upload.job_id)
    assert job.waits_for == "an answer"
    assert not read_state(job).thumbnails


def test_no_worker_and_no_reaper_takes_a_job_that_waits_for_an_answer(project: Project) -> None:
    _, job = asked(project)
    assert lifecycle.claim_job(job.pk) is None
    before = job.dispatched_at
    send_lost_messages()
    job.refresh_from_db()
    assert job.dispatched_at == before
    uploads.delete_read_archives()
    uploads.answer_upload(job.upload, ["last"])
    run_job(job.pk)  # its archive is still there
    assert project.samples.count() == 4


def test_page_shows_the_plan_with_pictures_and_takes_the_answer(project: Project, browser: Client) -> None:
    upload, job = asked(project)
    page = browser.get(upload.get_absolute_url()).content.decode()
    assert "Are the classes the outer folders" in page
    assert 'value="first"' in page
    assert 'value="last"' in page
    assert "data:image/jpeg;base64," in page
    answer = browser.post(reverse("upload_answer", args=[project.slug, upload.pk]), {"layout": "last"})
    assert answer.status_code == 302
    run_job(job.pk)
    assert set(project.classes.values_list("name", flat=True)) == {"good", "bad"}
    job.refresh_from_db()
    assert job.status == "SUCCEEDED"
    page = browser.get(upload.get_absolute_url()).content.decode()
    assert "What was understood" in page
    assert 'type="radio"' not in page


@pytest.mark.parametrize("layout", ["", "nonsense", "last,encoding=klingon"])
def test_page_answers_a_bad_choice_with_a_sentence(project: Project, browser: Client, layout: str) -> None:
    upload, job = asked(project)
    address = reverse("upload_answer", args=[project.slug, upload.pk])
    page = browser.post(address, {"layout": layout}, follow=True).content.decode()
    assert "note error" in page or "messages" in page
    job.refresh_from_db()
    assert job.waits_for == "an answer"


def test_second_answer_is_a_conflict(project: Project) -> None:
    upload, _ = asked(project)
    uploads.answer_upload(upload, ["first"])
    with pytest.raises(lifecycle.AlreadyAnswered):
        uploads.answer_upload(upload, ["last"])


def test_cancelled_job_takes_no_answer(project: Project) -> None:
    upload, job = asked(project)
    assert lifecycle.cancel_job(job)
    with pytest.raises(lifecycle.AlreadyAnswered):
        uploads.answer_upload(upload, ["last"])


def test_api_tells_the_questions_and_takes_the_answer(project: Project, browser: Client) -> None:
    job = Job.objects.get(pk=post(browser, project, file=archive()).json()["job"])
    run_job(job.pk)
    told = browser.get(f"/api/v1/jobs/{job.pk}").json()
    assert told["waits_for"] == "an answer"
    (question,) = told["result"]["plan"]["questions"]
    assert [option["layout"] for option in question["options"]] == ["first", "last"]
    path = f"/{told['result']['upload']}/answer"
    address = f"/api/v1/projects/{project.slug}/uploads{path}"
    assert browser.post(address, {"layout": "nonsense"}, "application/json").status_code == 422
    assert browser.post(address, {"layout": "last"}, "application/json").status_code == 202
    assert browser.post(address, {"layout": "first"}, "application/json").status_code == 409
    run_job(job.pk)
    assert set(project.classes.values_list("name", flat=True)) == {"good", "bad"}


def test_api_takes_the_layout_at_once(project: Project, browser: Client) -> None:
    job = post(browser, project, file=archive(), layout="first").json()["job"]
    run_job(job)
    assert set(project.classes.values_list("name", flat=True)) == {"x", "y"}


def test_api_dry_run_answers_the_plan_and_stores_nothing(project: Project, browser: Client) -> None:
    answer = post(browser, project, file=archive(CLEAR), dry_run="true")
    assert answer.status_code == 200
    assert answer.json()["classes"] == {"cat": 1, "dog": 1}
    assert answer.json()["unlabelled"] == 1
    assert not project.uploads.exists()
    assert not project.jobs.exists()


def test_api_refuses_a_layout_that_is_none_or_for_single_pictures(project: Project, browser: Client) -> None:
    assert "Use auto" in post(browser, project, file=archive(), layout="nonsense").json()["error"]
    picture = SimpleUploadedFile("1.jpg", make_jpeg(1))
    assert "for archives" in post(browser, project, file=picture, layout="first").json()["error"]
    assert not project.uploads.exists()


def test_archive_without_a_usable_picture_fails(project: Project) -> None:
    text = SimpleUploadedFile("a.zip", make_zip({"cat/1.jpg": b"text", "dog/2.jpg": b"text"}))
    upload = uploads.receive_archive(project, text, "a.zip", by=project.owner)
    assert upload.job is not None
    run_job(upload.job.pk)
    job = Job.objects.get(pk=upload.job.pk)
    assert (job.status, job.error) == (
        "FAILED",
        "None of the files could be brought in. The report of the upload says why.",
    )
    assert upload.items.count() == 2


def test_what_a_person_uploads_is_shown_before_it_is_stored(project: Project, browser: Client) -> None:
    answer = browser.post(reverse("upload_archive", args=[project.slug]), {"file": archive(CLEAR)})
    upload = project.uploads.get(pk=answer.json()["upload"])
    run_job(upload.job_id)  # type: ignore[arg-type]
    page = browser.get(upload.get_absolute_url()).content.decode()
    assert "Bring them in" in page
    assert not Sample.objects.exists()
    assert "waits for your answer." in browser.get(project.get_absolute_url()).content.decode()
    assert "waits for you" in browser.get(reverse("uploads", args=[project.slug])).content.decode()
    address = reverse("upload_answer", args=[project.slug, upload.pk])
    browser.post(address, {"groups": "folder:1"})  # without accepting: it is shown again
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert "groups of the same thing" in browser.get(upload.get_absolute_url()).content.decode()
    assert not Sample.objects.exists()
    browser.post(address, {"accept": "1"})
    run_job(upload.job_id)  # type: ignore[arg-type]
    assert sorted(Sample.objects.values_list("file_name", "group")) == [
        ("test/3.jpg", ""),  # which is in no folder
        ("train/cat/1.jpg", "cat"),
        ("train/dog/2.jpg", "dog"),
    ]
