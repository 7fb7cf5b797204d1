"""Samples: listing, changing, deleting, and the pictures themselves."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.params import functions as params

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import sample_schemas as schemas
from classifier.api.errors import PICTURE, errors
from classifier.api.present import present_sample
from classifier.models import Change, Project, Sample
from classifier.sample_filters import SampleFilter, select_samples
from classifier.sample_pages import page_after
from classifier.selectors import list_classes
from classifier.services import erasing, images, samples
from ml.images.formats import FORMATS

PAGE = 100

router = Router()


@router.get("/projects/{slug}/samples", response={200: schemas.SamplePage, **errors(404, 422)})
def list_samples(
    request: SignedIn,
    slug: str,
    filters: Query[SampleFilter],
    before: int | None = None,
    after: str = "",
    size: int = params.Query(PAGE, ge=1, le=1000),
) -> Any:
    """List the samples that match, the newest first or in another order; `next` is the next page's `after`."""
    project = find_project(request, slug)
    if filters.class_id is not None:
        get_object_or_404(list_classes(project), pk=filters.class_id)
    cursor = after or (str(before) if before is not None and not filters.order.field else "")
    page, following = page_after(project, filters, cursor, size)
    return {"samples": [present_sample(sample) for sample in page], "next": following or None}


def choose_samples(project: Project, payload: schemas.SamplesIn) -> QuerySet[Sample]:
    """Select the samples of the project that are named, or that match the filter."""
    if payload.filter is not None:
        return select_samples(project, payload.filter)
    return samples.pick(project, payload.ids)


CHANGED = {200: schemas.ChangedOut, **errors(400, 404, 409, 413, 422)}


def _changed(act: Change) -> dict[str, int]:
    return {"changed": act.count, "change": act.pk}


@router.post("/projects/{slug}/samples/move", response=CHANGED)
def move_samples(request: SignedIn, slug: str, payload: schemas.MoveIn) -> Any:
    """Move samples to another class of the project."""
    project = find_project(request, slug)
    to = get_object_or_404(list_classes(project), pk=payload.class_id)
    return _changed(samples.move_samples(project, choose_samples(project, payload), to=to, by=request.user))


@router.post("/projects/{slug}/samples/unlabel", response=CHANGED)
def unlabel_samples(request: SignedIn, slug: str, payload: schemas.SamplesIn) -> Any:
    """Take samples out of their class; trainings leave them out until they have one."""
    project = find_project(request, slug)
    return _changed(samples.unlabel_samples(project, choose_samples(project, payload), by=request.user))


@router.post("/projects/{slug}/samples/split", response=CHANGED)
def split_samples(request: SignedIn, slug: str, payload: schemas.SplitIn) -> Any:
    """Give samples a split by hand, with all others of their groups."""
    project = find_project(request, slug)
    return _changed(samples.set_split(project, choose_samples(project, payload), payload.split, by=request.user))


@router.post("/projects/{slug}/samples/group", response=CHANGED)
def group_samples(request: SignedIn, slug: str, payload: schemas.GroupIn) -> Any:
    """Say that samples show the same thing, so that new ones are never dealt into two splits; "" for no group."""
    project = find_project(request, slug)
    return _changed(
        samples.set_group(project, choose_samples(project, payload), payload.group.strip(), by=request.user)
    )


@router.post("/projects/{slug}/samples/tag", response=CHANGED)
def tag_samples(request: SignedIn, slug: str, payload: schemas.TagIn) -> Any:
    """Give samples a tag."""
    project = find_project(request, slug)
    return _changed(samples.add_tag(project, choose_samples(project, payload), payload.tag, by=request.user))


@router.post("/projects/{slug}/samples/untag", response=CHANGED)
def untag_samples(request: SignedIn, slug: str, payload: schemas.TagIn) -> Any:
    """Take a tag off samples."""
    project = find_project(request, slug)
    return _changed(samples.remove_tag(project, choose_samples(project, payload), payload.tag, by=request.user))


@router.post("/projects/{slug}/samples/delete", response=CHANGED)
def delete_samples(request: SignedIn, slug: str, payload: schemas.SamplesIn) -> Any:
    """Move samples to the trash."""
    project = find_project(request, slug)
    return _changed(samples.delete_samples(project, choose_samples(project, payload), by=request.user))


@router.post("/projects/{slug}/samples/restore", response=CHANGED)
def restore_samples(request: SignedIn, slug: str, payload: schemas.SamplesIn) -> Any:
    """Take samples out of the trash."""
    project = find_project(request, slug)
    return _changed(samples.restore_samples(project, choose_samples(project, payload), by=request.user))


@router.post("/projects/{slug}/samples/purge", response={200: schemas.CountOut, **errors(400, 404, 409, 413, 422)})
def purge_samples(request: SignedIn, slug: str) -> Any:
    """Delete permanently what is in the trash."""
    return {"changed": samples.purge_samples(find_project(request, slug))}


@router.post("/projects/{slug}/samples/erase", response={200: schemas.ErasedOut, **errors(400, 404, 409, 413, 422)})
def erase_samples(request: SignedIn, slug: str, payload: schemas.SamplesIn) -> Any:
    """Delete samples at once and for good, past the trash, and say what stays."""
    project = find_project(request, slug)
    return erasing.erase_samples(project, choose_samples(project, payload), by=request.user)


@router.get("/projects/{slug}/images/{sha256}", response={200: None, **errors(404, 422)}, openapi_extra=PICTURE)
def get_image(request: SignedIn, slug: str, sha256: str) -> Any:
    """Return the bytes of a picture as they were uploaded."""
    image = selectors.get_image(find_project(request, slug), sha256)
    try:
        return HttpResponse(images.read_picture(image), content_type=FORMATS[image.format].mime)
    except OSError:
        raise Http404 from None
