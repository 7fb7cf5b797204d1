"""Model versions as files for elsewhere."""

from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Router, Status

from classifier.access import SignedIn
from classifier.api import schemas
from classifier.api.errors import ZIP, errors
from classifier.api.present import present_export
from classifier.api.versions import find_version
from classifier.downloads import send_export
from classifier.models import Export
from classifier.selectors import class_names, list_exports
from classifier.services import purging
from classifier.services.exports import request_export

router = Router()


@router.post(
    "/projects/{slug}/versions/{number}/exports", response={202: schemas.JobRef, **errors(400, 404, 409, 413, 422)}
)
def create_export(request: SignedIn, slug: str, number: int, payload: schemas.ExportIn) -> Any:
    """Start a job that makes the files, or return the one that does or did."""
    return Status(202, {"job": request_export(find_version(request, slug, number), payload.format, by=request.user).pk})


@router.get("/projects/{slug}/versions/{number}/exports", response={200: list[schemas.ExportOut], **errors(404, 422)})
def list_version_exports(request: SignedIn, slug: str, number: int) -> Any:
    """List the exports that were asked for."""
    version = find_version(request, slug, number)
    names = class_names(version)
    return [present_export(export, version, names) for export in list_exports(version)]


@router.get(
    "/projects/{slug}/versions/{number}/exports/{format}", response={200: None, **errors(404, 422)}, openapi_extra=ZIP
)
def get_export(request: SignedIn, slug: str, number: int, format: str) -> Any:
    """Return an export: a zip with a README and code that runs."""
    version = find_version(request, slug, number)
    made = Export.objects.exclude(sha256="").select_related("model_version")
    return send_export(version.project, get_object_or_404(made, model_version=version, format=format))


@router.delete(
    "/projects/{slug}/versions/{number}/exports/{format}", response={204: None, **errors(400, 404, 409, 413, 422)}
)
def delete_export(request: SignedIn, slug: str, number: int, format: str) -> Any:
    """Delete the file of an export, which can be made again."""
    purging.delete_export(get_object_or_404(list_exports(find_version(request, slug, number)), format=format))
    return Status(204, None)
