"""Training."""

from typing import Any

from django.conf import settings
from ninja import Router, Status

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.errors import errors
from classifier.api.present import present_jobs
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
    return present_jobs(list(found))
