"""Archives in parts, by the tus protocol: an upload goes on after a lost connection, a reload, or on another day."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from ninja.errors import HttpError
from ninja.params import functions as params

from classifier.access import SignedIn, find_project
from classifier.api import schemas, tus
from classifier.api.errors import errors
from classifier.api.present import present_resumable
from classifier.models import PartialUpload
from classifier.services import resumable

router = Router()
EVERY = "/projects/{slug}/resumable"
ONE = EVERY + "/{token}"
LARGEST = 2**53
PART = {
    "requestBody": {"required": True, "content": {tus.PART_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}


@router.post(EVERY, response={201: schemas.ResumableOut, **errors(400, 404, 409, 412, 413, 422)})
def begin_resumable(
    request: SignedIn,
    slug: str,
    response: HttpResponse,
    length: int = params.Header(..., alias="Upload-Length", ge=0, le=LARGEST),
    metadata: str = params.Header(
        "",
        alias="Upload-Metadata",
        description="in Base64: filename; if wanted layout, confirm (true: wait for answer_upload), lastModified",
    ),
) -> Any:
    """Begin to upload an archive in parts, by the tus protocol 1.0 (creation); Location is the address of the upload.

    Send its parts there with `append_part`, about 8 MB each. The upload can go on for a week after the last part.
    """
    project = find_project(request, slug)
    partial = resumable.begin(project, tus.read_announcement(length, metadata), by=request.user)
    response["Location"] = f"{request.path}/{partial.token}"
    response["Upload-Offset"] = "0"
    return Status(201, present_resumable(partial))


@router.get(EVERY, response={200: list[schemas.ResumableOut], **errors(404, 422)})
def list_resumable(request: SignedIn, slug: str) -> Any:
    """List the uploads of which parts are missing."""
    return [present_resumable(partial) for partial in resumable.list_open(find_project(request, slug))]


@router.get(ONE, response={200: schemas.ResumableOut, **errors(404, 422)})
def get_resumable(request: SignedIn, slug: str, token: str, response: HttpResponse) -> Any:
    """Return how much of an upload is kept, and what it has become; with HEAD in the headers alone, as tus has it."""
    partial = _find(request, slug, token)
    _tell(response, partial)
    return present_resumable(partial)


@router.api_operation(["HEAD"], ONE, include_in_schema=False)
def head_resumable(request: SignedIn, slug: str, token: str) -> HttpResponse:
    """Return how much of an upload is kept."""
    response = HttpResponse(status=200)
    _tell(response, _find(request, slug, token))
    return response


@router.patch(
    ONE,
    response={204: None, **errors(400, 404, 409, 412, 413, 415, 422)},
    openapi_extra=PART,
)
def append_part(
    request: SignedIn,
    slug: str,
    token: str,
    offset: int = params.Header(..., alias="Upload-Offset", ge=0, le=LARGEST),
) -> Any:
    """Send the next part of an upload. When this has been answered, the part would survive a power cut.

    With the last one the archive becomes an upload, which a job reads; `get_resumable` tells which.
    """
    partial = _find(request, slug, token)
    if request.content_type != tus.PART_TYPE:
        raise HttpError(415, f"Send a part with the header “Content-Type: {tus.PART_TYPE}”.")
    data, whole = tus.read_part(request)
    response = HttpResponse(status=204)
    _tell(response, resumable.append(partial, offset, data, whole=whole))
    return response


@router.delete(ONE, response={204: None, **errors(400, 404, 409, 412, 413, 422)})
def discard_resumable(request: SignedIn, slug: str, token: str) -> Any:
    """Discard an upload of which parts are missing, with all that has come of it (tus: termination)."""
    resumable.discard(_find(request, slug, token))
    return HttpResponse(status=204)


@router.api_operation(["OPTIONS"], EVERY, include_in_schema=False)
def describe_resumable(request: SignedIn, slug: str) -> HttpResponse:
    """Say what of the protocol the site speaks."""
    find_project(request, slug)
    return HttpResponse(status=204, headers=tus.describe())


def _find(request: SignedIn, slug: str, token: str) -> PartialUpload:
    return get_object_or_404(find_project(request, slug).partial_uploads.select_related("upload"), token=token)


def _tell(response: HttpResponse, partial: PartialUpload) -> None:
    response["Upload-Offset"], response["Upload-Length"] = str(partial.offset), str(partial.size)
    if partial.metadata:
        response["Upload-Metadata"] = partial.metadata
