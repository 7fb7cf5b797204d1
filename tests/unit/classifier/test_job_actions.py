"""What people do with jobs that have ended: try again, take the settings, delete."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle, reporting, sending
from classifier.jobs.kinds import EXPORT, INGEST, TRAIN
from classifier.jobs.state import JobState, StoredFile, read_state
from classifier.models import Export, Job, JobLogLine, ModelVersion, Project
from classifier.services import job_actions
from classifier.services.event_files import event_files_path
from classifier.services.exports import request_export
from classifier.services.job_actions import NotRepeatable, StillOpen
from ml.training.config import TrainConfig
from tests.unit.classifier.conftest import claim_new, remove_late

SGD = {"backbone": "testing", "recipe": "sgd", "steps": 5000}


def end(job: Job) -> Job:
    lifecycle.fail_job(job.pk, sentence="It broke.")
    job.refresh_from_db()
    return job


def test_training_is_tried_again_with_its_settings(filled: Project, as_owner: Client) -> None:
    config = TrainConfig(**SGD).as_dict()
    first = sending.queue_job(TRAIN, project=filled, by=filled.owner, config=config, state=JobState(promote=True))
    page = as_owner.post(reverse("job_retry", args=[filled.slug, end(first).number]))
    second = Job.objects.latest("pk")
    assert page["Location"] == second.get_absolute_url()
    assert (second.config, second.state["promote"], second.status) == (config, True, Job.Status.QUEUED)
    again = as_owner.post(reverse("job_retry", args=[filled.slug, first.number]))
    assert again["Location"] == second.get_absolute_url(), "it leads to the training that runs"
    answer = as_owner.post(f"/api/v1/jobs/{first.pk}/retry")
    assert (answer.status_code, answer.json()["job"]) == (409, second.pk)


def test_export_is_tried_again(trained: ModelVersion, as_owner: Client) -> None:
    first = request_export(trained, "tflite", by=trained.project.owner)
    lifecycle.cancel_job(first)
    answer = as_owner.post(f"/api/v1/jobs/{first.pk}/retry")
    assert answer.status_code == 202
    second = Job.objects.get(pk=answer.json()["job"])
    assert (second.kind, second.config["format"]) == (EXPORT.name, "tflite")
    assert Export.objects.get().job == second


def test_what_cannot_be_tried_again_is_told(project: Project, as_owner: Client) -> None:
    with pytest.raises(StillOpen):
        job_actions.retry_job(claim_new(project), by=project.owner)
    reading = end(claim_new(project, INGEST))
    assert not job_actions.can_retry(reading)
    with pytest.raises(NotRepeatable, match="Send it again"):
        job_actions.retry_job(reading, by=project.owner)
    export = end(claim_new(project, EXPORT, export=99))
    page = as_owner.post(reverse("job_retry", args=[project.slug, export.number]), follow=True)
    assert "The version of this export is no longer there." in page.content.decode()
    done = claim_new(project)
    lifecycle.finish_job(done)
    done.refresh_from_db()
    with pytest.raises(NotRepeatable, match="has succeeded"):
        job_actions.retry_job(done, by=project.owner)


def test_form_is_filled_with_the_settings_of_an_earlier_training(filled: Project, as_owner: Client) -> None:
    config = TrainConfig(backbone="testing", recipe="sgd", steps=123, flip_left_right=True, random_crop=7).as_dict()
    job = end(claim_new(filled, **config))
    page = as_owner.get(job.get_absolute_url()).content.decode()
    query = job_actions.settings_query(job)
    assert query.replace("&", "&amp;") in page
    form = as_owner.get(f"{reverse('train', args=[filled.slug])}?{query}").content.decode()
    assert 'name="steps" value="123"' in form
    assert 'name="random_crop" value="7"' in form
    assert "those of the earlier training" in form
    assert job_actions.settings_query(claim_new(filled, EXPORT)) == ""
    odd = as_owner.get(f"{reverse('train', args=[filled.slug])}?steps=<b>&promote=&backbone=nowhere")
    assert odd.status_code == 200
    assert "<b>" not in odd.content.decode()


def test_ended_job_is_deleted_with_its_log_and_files_but_not_what_it_made(
    trained: ModelVersion, as_owner: Client, django_capture_on_commit_callbacks: Any
) -> None:
    job = trained.job
    assert job is not None
    path = event_files_path(read_state(job).event_files.sha256)  # type: ignore[union-attr]
    assert default_storage.exists(path)
    with django_capture_on_commit_callbacks(execute=True):
        page = as_owner.post(reverse("job_delete", args=[trained.project.slug, job.number]), follow=True)
    assert "What it made is kept" in page.content.decode()
    assert not Job.objects.filter(pk=job.pk).exists()
    assert not JobLogLine.objects.filter(job=job.pk).exists()
    assert not default_storage.exists(path)
    assert as_owner.get(trained.get_absolute_url()).status_code == 200


def test_files_that_another_job_has_too_stay(project: Project, django_capture_on_commit_callbacks: Any) -> None:
    stored = StoredFile(sha256="a" * 64, size=1)
    default_storage.save(event_files_path(stored.sha256), ContentFile(b"x"))
    first, second = claim_new(project), claim_new(project)
    for job in (first, second):
        reporting.update_state(job, event_files=stored)
        lifecycle.cancel_job(job)
    for job, stays in ((first, True), (second, False)):
        with django_capture_on_commit_callbacks(execute=True):
            job_actions.delete_job(job)
        assert default_storage.exists(event_files_path(stored.sha256)) is stays


@pytest.mark.parametrize("by", ["page", "API"])
def test_job_that_somebody_else_deletes_in_this_moment_is_not_found(
    by: str, project: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = claim_new(project)
    lifecycle.cancel_job(job)
    remove_late(monkeypatch, job_actions, "delete_job")
    if by == "page":
        answer = as_owner.post(reverse("job_delete", args=[project.slug, job.number]))
    else:
        answer = as_owner.delete(f"/api/v1/jobs/{job.pk}")
    assert answer.status_code == 404


def test_open_job_is_not_deleted(project: Project, as_owner: Client) -> None:
    job = claim_new(project)
    assert as_owner.delete(f"/api/v1/jobs/{job.pk}").status_code == 409
    lifecycle.cancel_job(job)
    assert as_owner.delete(f"/api/v1/jobs/{job.pk}").status_code == 204
    assert as_owner.get(f"/api/v1/jobs/{job.pk}").status_code == 404
