"""The trash: what was deleted and can be restored. Each thing is deleted with the calls that are about it."""

from datetime import datetime
from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status, params

from classifier.access import SignedIn
from classifier.api.errors import errors
from classifier.api.projects import TYPED
from classifier.models import ModelVersion, Project
from classifier.services import purging, trash

router = Router()
GONE = {204: None, **errors(400, 404, 409, 413, 422)}


class TrashedProjectOut(Schema):
    slug: str
    name: str
    deleted_at: datetime
    leaves_at: datetime = Field(description="when it is deleted for good")


class TrashedVersionOut(Schema):
    project: str = Field(description="slug")
    number: int
    deleted_at: datetime
    leaves_at: datetime = Field(description="when it is deleted for good")


class TrashOut(Schema):
    projects: list[TrashedProjectOut]
    versions: list[TrashedVersionOut]


def _present(one: Project | ModelVersion) -> dict[str, Any]:
    dates = {"deleted_at": one.deleted_at, "leaves_at": one.deleted_at and trash.leaves_at(one.deleted_at)}
    if isinstance(one, Project):
        return {"slug": one.slug, "name": one.name, **dates}
    return {"project": one.project.slug, "number": one.number, **dates}


@router.get("/trash", response={200: TrashOut, **errors(422)})
def list_trash(request: SignedIn) -> Any:
    """List the projects and versions that were deleted and can be restored."""
    return {
        "projects": [_present(one) for one in trash.list_trashed_projects(request.user)],
        "versions": [_present(one) for one in trash.list_trashed_versions(request.user)],
    }


@router.post("/trash/projects/{slug}/restore", response=GONE)
def restore_project(request: SignedIn, slug: str) -> Any:
    """Take a project of yours out of the trash."""
    trash.restore_project(get_object_or_404(trash.list_trashed_projects(request.user), slug=slug))
    return Status(204, None)


@router.delete("/trash/projects/{slug}", response=GONE)
def purge_project(
    request: SignedIn,
    slug: str,
    at_once: str = params.Query(..., max_length=200, description=TYPED),  # type: ignore[type-arg]
) -> Any:
    """Delete a project in the trash for good, which a job does."""
    project = get_object_or_404(trash.list_trashed_projects(request.user), slug=slug)
    trash.check_name(project, at_once)
    purging.request_purge(project, by=request.user)
    return Status(204, None)


def _find_trashed(request: SignedIn, slug: str, number: int) -> ModelVersion:
    return get_object_or_404(trash.list_trashed_versions(request.user), project__slug=slug, number=number)


@router.post("/trash/projects/{slug}/versions/{number}/restore", response=GONE)
def restore_version(request: SignedIn, slug: str, number: int) -> Any:
    """Take a version out of the trash."""
    trash.restore_version(_find_trashed(request, slug, number))
    return Status(204, None)


@router.delete("/trash/projects/{slug}/versions/{number}", response=GONE)
def purge_version(request: SignedIn, slug: str, number: int) -> Any:
    """Delete a version in the trash for good."""
    purging.purge_version(_find_trashed(request, slug, number))
    return Status(204, None)
