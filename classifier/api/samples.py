"""Samples: listing, moving, deleting, and the pictures themselves."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router
from ninja.params import functions as params

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.errors import PICTURE, errors
from classifier.api.present import present_sample
from classifier.services import images, samples
from ml.images.formats import FORMATS

PAGE = 100

router = Router()


@router.get("/projects/{slug}/samples", response={200: schemas.SamplePage, **errors(404, 422)})
def list_samples(
    request: SignedIn,
    slug: str,
    class_id: int | None = None,
    deleted: bool = False,
    unlabelled: bool = False,
    before: int | None = None,
    size: int = params.Query(PAGE, ge=1, le=1000),
) -> Any:
    """List samples, the newest first, `unlabelled` only those without a class; `next` is the next page's `before`."""
    project = find_project(request, slug)
    image_class = get_object_or_404(project.classes, pk=class_id) if class_id is not None else None
    found = selectors.list_samples(project, image_class, deleted=deleted, unlabelled=unlabelled)
    page, following = selectors.page_of_samples(found, before=before, size=size)
    return {"samples": [present_sample(sample) for sample in page], "next": following}


@router.post("/projects/{slug}/samples/move", response={200: schemas.ChangedOut, **errors(400, 404, 409, 413, 422)})
def move_samples(request: SignedIn, slug: str, payload: schemas.MoveIn) -> Any:
    """Move samples to another class of the project."""
    project = find_project(request, slug)
    to = get_object_or_404(project.classes, pk=payload.class_id)
    return {"changed": samples.move_samples(project, payload.ids, to=to)}


@router.post("/projects/{slug}/samples/split", response={200: schemas.ChangedOut, **errors(400, 404, 409, 413, 422)})
def split_samples(request: SignedIn, slug: str, payload: schemas.SplitIn) -> Any:
    """Give samples a split by hand, with all others of their groups."""
    return {"changed": samples.set_split(find_project(request, slug), payload.ids, payload.split)}


@router.post("/projects/{slug}/samples/group", response={200: schemas.ChangedOut, **errors(400, 404, 409, 413, 422)})
def group_samples(request: SignedIn, slug: str, payload: schemas.GroupIn) -> Any:
    """Say that samples show the same thing, so that new ones are never dealt into two splits; "" for no group."""
    return {"changed": samples.set_group(find_project(request, slug), payload.ids, payload.group.strip())}


@router.post("/projects/{slug}/samples/delete", response={200: schemas.ChangedOut, **errors(400, 404, 409, 413, 422)})
def delete_samples(request: SignedIn, slug: str, payload: schemas.SamplesIn) -> Any:
    """Move samples to the trash."""
    return {"changed": samples.delete_samples(find_project(request, slug), payload.ids)}


@router.post("/projects/{slug}/samples/restore", response={200: schemas.ChangedOut, **errors(400, 404, 409, 413, 422)})
def restore_samples(request: SignedIn, slug: str, payload: schemas.SamplesIn) -> Any:
    """Take samples out of the trash."""
    return {"changed": samples.restore_samples(find_project(request, slug), payload.ids)}


@router.post("/projects/{slug}/samples/purge", response={200: schemas.ChangedOut, **errors(400, 404, 409, 413, 422)})
def purge_samples(request: SignedIn, slug: str) -> Any:
    """Delete permanently what is in the trash."""
    return {"changed": samples.purge_samples(find_project(request, slug))}


@router.get("/projects/{slug}/images/{sha256}", response={200: None, **errors(404, 422)}, openapi_extra=PICTURE)
def get_image(request: SignedIn, slug: str, sha256: str) -> Any:
    """Return the bytes of a picture as they were uploaded."""
    image = selectors.get_image(find_project(request, slug), sha256)
    try:
        return HttpResponse(images.read_picture(image), content_type=FORMATS[image.format].mime)
    except OSError:
        raise Http404 from None
