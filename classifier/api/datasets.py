"""A project's pictures and its dataset versions: taking them out."""

from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Router
from ninja.params import functions as params

from classifier.access import SignedIn, find_project
from classifier.api.errors import ZIP_OR_TABLE, errors
from classifier.downloads import send_pictures

router = Router()


@router.get("/projects/{slug}/download", response={200: None, **errors(404, 422)}, openapi_extra=ZIP_OR_TABLE)
def download_pictures(
    request: SignedIn,
    slug: str,
    dataset_version: int | None = params.Query(
        None, ge=1, lt=2**31, description="its number; without one, as they are now"
    ),
    manifest_only: bool = params.Query(False, description="the table of the pictures, in CSV, without their files"),
) -> Any:
    """Return the pictures as a zip of class folders with a manifest, which another upload understands."""
    project = find_project(request, slug)
    versions = project.dataset_versions
    version = get_object_or_404(versions, number=dataset_version) if dataset_version is not None else None
    return send_pictures(project, version, manifest_only=manifest_only)
