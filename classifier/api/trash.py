"""The trash: what was deleted and can be restored. Each thing is deleted with the calls that are about it."""

from datetime import datetime
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status, params

from classifier.access import SignedIn
from classifier.api.errors import errors
from classifier.api.projects import TYPED
from classifier.models import CustomBackbone, ModelVersion, Project
from classifier.services import backbone_trash, purging, trash

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


class TrashedBackboneOut(Schema):
    name: str
    title: str
    deleted_at: datetime
    leaves_at: datetime = Field(description="when it is deleted for good, unless something needs it")
    need: str = Field(description="what needs it, as a sentence; empty if nothing does")


class TrashOut(Schema):
    projects: list[TrashedProjectOut]
    versions: list[TrashedVersionOut]
    backbones: list[TrashedBackboneOut]


def _present(one: Project | ModelVersion) -> dict[str, Any]:
    dates = {"deleted_at": one.deleted_at, "leaves_at": one.deleted_at and trash.leaves_at(one.deleted_at)}
    if isinstance(one, Project):
        return {"slug": one.slug, "name": one.name, **dates}
    return {"project": one.project.slug, "number": one.number, **dates}


@router.get("/trash", response={200: TrashOut, **errors(422)})
def list_trash(request: SignedIn) -> Any:
    """List the projects, versions and backbones that were deleted and can be restored."""
    return {
        "projects": [_present(one) for one in trash.list_trashed_projects(request.user)],
        "versions": [_present(one) for one in trash.list_trashed_versions(request.user)],
        "backbones": [_present_backbone(one) for one in backbone_trash.list_trashed_backbones(request.user)],
    }


def _present_backbone(custom: CustomBackbone) -> dict[str, Any]:
    leaves_at = custom.removed_at and trash.leaves_at(custom.removed_at)
    need = backbone_trash.explain_need(custom)
    return {
        "name": custom.name,
        "title": custom.title,
        "deleted_at": custom.removed_at,
        "leaves_at": leaves_at,
        "need": need,
    }


def _find_backbone(request: SignedIn, name: str) -> CustomBackbone:
    """Return the backbone of this name that was deleted last. Raise Http404."""
    found = backbone_trash.list_trashed_backbones(request.user).filter(name=name).first()
    if found is None:
        raise Http404
    return found


@router.post("/trash/backbones/{name}/restore", response=GONE)
def restore_backbone(request: SignedIn, name: str) -> Any:
    """Take a backbone of yours out of the trash."""
    backbone_trash.restore_backbone(_find_backbone(request, name))
    return Status(204, None)


@router.delete("/trash/backbones/{name}", response=GONE)
def purge_backbone(request: SignedIn, name: str) -> Any:
    """Delete a backbone in the trash for good, with its files and the embeddings by it, unless a version needs it."""
    backbone_trash.purge_backbone(_find_backbone(request, name))
    return Status(204, None)


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
