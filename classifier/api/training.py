"""Training, and jobs of any kind."""

from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from ninja.errors import HttpError

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.errors import ZIP, errors
from classifier.api.present import present_job
from classifier.downloads import send_event_files
from classifier.jobs import lifecycle
from classifier.models import Job
from classifier.services import training
from ml.training.config import parse_config

router = Router()


@router.post("/projects/{slug}/train", response={202: schemas.JobRef, **errors(400, 404, 409, 413, 422)})
def train(request: SignedIn, slug: str, payload: schemas.TrainIn | None = None) -> Any:
    """Start a training. The body may hold settings; what it leaves out has its default.

    A project that is being trained already is a 409 with the `job`; so are warnings, unless `force` is true.
    """
    project = find_project(request, slug)
    payload = payload or schemas.TrainIn.model_validate({})
    config = parse_config({"backbone": settings.BACKBONE, **payload.config_values()})
    job = training.request_training(project, config, by=request.user, promote=payload.promote, force=payload.force)
    return Status(202, {"job": job.pk})


@router.get("/projects/{slug}/preflight", response={200: schemas.PreflightOut, **errors(404, 422)})
def preflight(request: SignedIn, slug: str) -> Any:
    """Report why training cannot (errors) or should not (warnings) start now."""
    found = training.check_training(find_project(request, slug))
    return {
        "errors": found.errors,
        "warnings": found.warnings,
        "running_job": found.running.pk if found.running else None,
    }


@router.get("/projects/{slug}/jobs", response={200: list[schemas.JobOut], **errors(404, 422)})
def list_jobs(request: SignedIn, slug: str) -> Any:
    """List the last fifty jobs of a project."""
    found = selectors.list_jobs(request.user).filter(project=find_project(request, slug))[:50]
    return [present_job(job) for job in found]


@router.get("/jobs/{job_id}", response={200: schemas.JobOut, **errors(404, 422)})
def get_job(request: SignedIn, job_id: int) -> Any:
    """Return how far a job is and, once it has succeeded, its result."""
    return present_job(get_object_or_404(selectors.list_jobs(request.user), pk=job_id))


@router.get("/jobs/{job_id}/event-files", response={200: None, **errors(404, 422)}, openapi_extra=ZIP)
def get_event_files(request: SignedIn, job_id: int) -> Any:
    """Return a training's event files for TensorBoard, as a zip."""
    return send_event_files(get_object_or_404(selectors.list_jobs(request.user), pk=job_id))


@router.post("/jobs/{job_id}/cancel", response={200: schemas.JobOut, **errors(400, 404, 409, 413, 422)})
def cancel_job(request: SignedIn, job_id: int) -> Any:
    """Cancel a job. One that has ended is a 409."""
    job: Job = get_object_or_404(selectors.list_jobs(request.user), pk=job_id)
    if not lifecycle.cancel_job(job):
        raise HttpError(409, "The job has already ended.")
    job.refresh_from_db()
    return present_job(job)
