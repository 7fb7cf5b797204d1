"""Jobs of any kind: how far they are, what happened to them, and what can be done with them."""

from enum import Enum
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from ninja.params import functions as params

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.errors import TEXT, ZIP, errors
from classifier.api.present import present_job, present_jobs
from classifier.downloads import send_event_files, send_job_log, send_project_file
from classifier.job_lists import LISTED, PAGE, STATES, filter_jobs
from classifier.models import Job
from classifier.roles import Role
from classifier.services import job_actions

State = Enum("State", {name: name for name in STATES}, type=str)  # type: ignore[misc]
Kind = Enum("Kind", {name: name for name in LISTED}, type=str)  # type: ignore[misc]

router = Router()


def find_job(request: SignedIn, job_id: int) -> Job:
    """Return a job of the user's projects, or one of nobody else's. Raise Http404, and NotForYou as `find_project`."""
    job: Job = get_object_or_404(selectors.list_jobs(request.user), pk=job_id)
    if job.project is not None:
        find_project(request, job.project.slug)
    return job


@router.get("/jobs", response={200: list[schemas.JobOut], **errors(422)})
def list_all_jobs(
    request: SignedIn,
    state: State | None = None,
    kind: Kind | None = None,
    project: str = params.Query("", max_length=200, description="the slug of one"),
    before: int | None = params.Query(None, ge=1, lt=2**63, description="the id of the last one of the page before"),
) -> Any:
    """List the jobs of all your projects, the newest first, thirty at a time."""
    chosen = {"state": state.value if state else "", "kind": kind.value if kind else "", "project": project}
    return present_jobs(list(filter_jobs(request.user, **chosen, before=before)[:PAGE]))


@router.get("/jobs/{job_id}", response={200: schemas.JobOut, **errors(404, 422)})
def get_job(request: SignedIn, job_id: int) -> Any:
    """Return how far a job is and, once it has succeeded, its result."""
    return present_job(find_job(request, job_id))


@router.get("/jobs/{job_id}/log", response={200: list[schemas.JobLogLineOut], **errors(404, 422)})
def get_job_log(request: SignedIn, job_id: int) -> Any:
    """Return what has happened to a job, in words."""
    return find_job(request, job_id).log_lines.values("at", "level", "text")


@router.get("/jobs/{job_id}/log.txt", response={200: None, **errors(404, 422)}, openapi_extra=TEXT)
def download_job_log(request: SignedIn, job_id: int) -> Any:
    """Return the same as a text file."""
    return send_job_log(find_job(request, job_id))


@router.get("/jobs/{job_id}/event-files", response={200: None, **errors(404, 422)}, openapi_extra=ZIP)
def get_event_files(request: SignedIn, job_id: int) -> Any:
    """Return a training's event files for TensorBoard, as a zip."""
    return send_event_files(find_job(request, job_id))


@router.get("/jobs/{job_id}/project-file", response={200: None, **errors(404, 422)}, openapi_extra=ZIP)
def download_project_file(request: SignedIn, job_id: int) -> Any:
    """Return the file in which a job has written its project, for the owner alone. It is there for some days."""
    job = find_job(request, job_id)
    if job.project is None:
        raise Http404
    find_project(request, job.project.slug, Role.OWNER)
    return send_project_file(job)


@router.post("/jobs/{job_id}/cancel", response={200: schemas.JobOut, **errors(400, 404, 409, 413, 422)})
def cancel_job(request: SignedIn, job_id: int) -> Any:
    """Cancel a job. One that has ended is a 409."""
    job = find_job(request, job_id)
    job_actions.cancel_job(job)
    job.refresh_from_db()
    return present_job(job)


@router.post("/jobs/{job_id}/stop", response={200: schemas.JobOut, **errors(400, 404, 409, 413, 422)})
def stop_job(request: SignedIn, job_id: int) -> Any:
    """Let a training end now with the best it has reached. A 409 where nothing can be stopped early.

    Fine-tuning keeps its best epoch, gradient descent its last step. The version is not taken for that of the whole
    training.
    """
    job = find_job(request, job_id)
    job_actions.stop_job(job)
    job.refresh_from_db()
    return present_job(job)


@router.post("/jobs/{job_id}/retry", response={202: schemas.JobRef, **errors(400, 404, 409, 413, 422)})
def retry_job(request: SignedIn, job_id: int) -> Any:
    """Queue a job that failed or was cancelled again, with the same settings."""
    return Status(202, {"job": job_actions.retry_job(find_job(request, job_id), by=request.user).pk})


@router.delete("/jobs/{job_id}", response={204: None, **errors(400, 404, 409, 413, 422)})
def delete_job(request: SignedIn, job_id: int) -> Any:
    """Delete a job that has ended, with its log and event files. What it made is kept. One that is open is a 409."""
    job_actions.delete_job(find_job(request, job_id))
    return Status(204, None)
