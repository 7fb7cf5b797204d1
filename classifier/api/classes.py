"""The classes of a project."""

from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Router, Status

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.errors import errors
from classifier.api.present import present_class
from classifier.api.sample_schemas import ChangedOut
from classifier.models import ImageClass
from classifier.services import classes, projects

router = Router()


def _find(request: SignedIn, slug: str, class_id: int) -> ImageClass:
    found: ImageClass = get_object_or_404(selectors.list_classes(find_project(request, slug)), pk=class_id)
    return found


def _show(image_class: ImageClass) -> dict[str, Any]:
    return present_class(image_class, selectors.class_counts(image_class.project).get(image_class.pk, 0))


@router.post("/projects/{slug}/classes", response={201: schemas.ClassOut, **errors(400, 404, 409, 413, 422)})
def create_class(request: SignedIn, slug: str, payload: schemas.ClassIn) -> Any:
    """Create a class, or return the one of that name."""
    return Status(201, _show(projects.get_or_create_class(find_project(request, slug), payload.name)))


@router.patch(
    "/projects/{slug}/classes/{class_id}", response={200: schemas.ClassOut, **errors(400, 404, 409, 413, 422)}
)
def rename_class(request: SignedIn, slug: str, class_id: int, payload: schemas.ClassChanges) -> Any:
    """Rename a class, or change its description, colour, place or part in trainings. Its pictures stay."""
    image_class = _find(request, slug, class_id)
    given = payload.model_dump(exclude_none=True)
    place = given.pop("place", None)
    if given:
        classes.edit_class(image_class, by=request.user, **given)
    if place is not None:
        classes.place_class(image_class, place, by=request.user)
    image_class.refresh_from_db()
    return _show(image_class)


@router.post("/projects/{slug}/classes/{class_id}/merge", response={200: ChangedOut, **errors(400, 404, 409, 413, 422)})
def merge_class(request: SignedIn, slug: str, class_id: int, payload: schemas.MergeIn) -> Any:
    """Move all pictures of a class into another one. Versions that were trained with it keep its name."""
    image_class = _find(request, slug, class_id)
    act = classes.merge_class(image_class, into=_find(request, slug, payload.into), by=request.user)
    return {"changed": act.count, "change": act.pk}


@router.delete("/projects/{slug}/classes/{class_id}", response={204: None, **errors(400, 404, 409, 413, 422)})
def delete_class(request: SignedIn, slug: str, class_id: int, with_pictures: bool = False) -> Any:
    """Delete a class, with `with_pictures` also one that has some, which go to the trash. It can be undone."""
    classes.delete_class(_find(request, slug, class_id), by=request.user, with_pictures=with_pictures)
    return Status(204, None)
