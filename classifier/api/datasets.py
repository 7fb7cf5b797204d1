"""A project's pictures and its dataset versions: taking them out."""

from typing import Any

from ninja import Query, Router
from ninja.params import functions as params

from classifier.access import SignedIn, find_project
from classifier.api.errors import ZIP_OR_TABLE, errors
from classifier.downloads import send_pictures
from classifier.sample_filters import SampleFilter

router = Router()


@router.get("/projects/{slug}/download", response={200: None, **errors(404, 422)}, openapi_extra=ZIP_OR_TABLE)
def download_pictures(
    request: SignedIn,
    slug: str,
    filters: Query[SampleFilter],
    dataset_version: int | None = params.Query(None, ge=1, lt=2**31, description="all pictures of this one instead"),
    manifest_only: bool = params.Query(False, description="the table of the pictures, in CSV, without their files"),
) -> Any:
    """Return the pictures that match as a zip of class folders with a manifest, which another upload understands."""
    return send_pictures(find_project(request, slug), filters, dataset_version, manifest_only=manifest_only)
