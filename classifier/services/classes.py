"""What people do with the classes of a project: naming, describing, ordering, merging, removing. All is recorded."""

import re
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from classifier.models import Change, ImageClass, Project, Sample
from classifier.selectors import list_classes
from classifier.services.changes import change_samples, now_as_text
from classifier.services.live_classes import Fields
from classifier.services.projects import InvalidName, clean_class_name, get_or_create_class
from ml.datasets.class_names import find_near
from ml.errors import Refused

Kind = Change.Kind
NEGATIVE_NAME = "none of these"
MAX_DESCRIPTION = 1000
_COLOUR = re.compile(r"#[0-9a-f]{6}")


class BadClass(Refused):
    """What is asked of a class cannot be done. The message is a sentence for the user."""


def edit_class(image_class: ImageClass, *, by: User | None, **fields: Any) -> Change:
    """Give a class another name, description, colour, or part in trainings. What is not given stays.

    Samples, splits and versions stay as they are. Raise InvalidName, BadClass.
    """
    wanted = _clean(image_class, fields)
    kind, details = Kind.EDIT_CLASS, {"class": image_class.name}
    if wanted.keys() == {"name"}:
        kind, details = Kind.RENAME_CLASS, {"from": image_class.name, "to": wanted["name"]}
    classes: dict[int, Fields] = {image_class.pk: wanted}
    if wanted.get("is_negative"):  # there is one answer for whatever is none of them
        others = list_classes(image_class.project).filter(is_negative=True).exclude(pk=image_class.pk)
        classes |= {pk: {"is_negative": False} for pk in others.values_list("pk", flat=True)}
    try:
        with transaction.atomic():
            return _change_classes(image_class.project, kind, classes, by=by, details=details)
    except IntegrityError:
        raise InvalidName(f"There is already a class called “{wanted['name']}”.") from None


def rename_class(image_class: ImageClass, name: str, *, by: User | None) -> Change:
    """Rename a class. Raise InvalidName."""
    return edit_class(image_class, by=by, name=name)


def _clean(image_class: ImageClass, fields: Fields) -> Fields:
    wanted = dict(fields)
    if "name" in wanted:
        wanted["name"] = clean_class_name(wanted["name"])
        others = list_classes(image_class.project).filter(name=wanted["name"]).exclude(pk=image_class.pk)
        if others.exists():
            raise InvalidName(f"There is already a class called “{wanted['name']}”. Merge the two instead.")
    if "description" in wanted:
        wanted["description"] = wanted["description"].replace("\0", "").strip()
        if len(wanted["description"]) > MAX_DESCRIPTION:
            raise BadClass(f"The description is too long: use at most {MAX_DESCRIPTION:,} characters.")
    if wanted.get("colour"):
        wanted["colour"] = wanted["colour"].lower()
        if not _COLOUR.fullmatch(wanted["colour"]):
            raise BadClass("A colour is written like #3b5bdb.")
    return wanted


def _change_classes(
    project: Project, kind: Kind, classes: dict[int, Fields], *, by: User | None, details: Fields
) -> Change:
    none = Sample.objects.none()
    return change_samples(none, kind, lambda _: {}, project=project, by=by, details=details, classes=classes)


def place_class(image_class: ImageClass, place: int, *, by: User | None) -> Change:
    """Put a class at a place of the list, which begins with 1; places beyond its end are its end."""
    order = [pk for pk in list_classes(image_class.project).values_list("pk", flat=True) if pk != image_class.pk]
    order.insert(max(0, place - 1), image_class.pk)
    classes: dict[int, Fields] = {pk: {"position": number} for number, pk in enumerate(order, 1)}
    details = {"class": image_class.name}
    return _change_classes(image_class.project, Kind.EDIT_CLASS, classes, by=by, details=details)


def merge_class(image_class: ImageClass, *, into: ImageClass, by: User | None) -> Change:
    """Move all pictures of a class, with those in the trash, into another one, which stays. Raise BadClass.

    The row of the class stays for the versions that were trained with it; they answer with its name.
    """
    if into.pk == image_class.pk:
        raise BadClass("A class cannot be merged into itself. Choose another one.")
    return change_samples(
        Sample.objects.filter(image_class=image_class),
        Kind.MERGE_CLASS,
        lambda _: {"image_class_id": into.pk},
        project=image_class.project,
        by=by,
        details={"from": image_class.name, "to": into.name},
        classes={image_class.pk: {"merged_into_id": into.pk, "deleted_at": now_as_text()}},
    )


def delete_class(image_class: ImageClass, *, by: User | None, with_pictures: bool = False) -> Change:
    """Move a class to the trash, with its pictures if that is said. Raise BadClass.

    A class of the same name that comes later is a new one. Restoring a picture of the class brings it back.
    """
    kept, now = Sample.objects.filter(image_class=image_class, deleted_at=None), now_as_text()
    if not with_pictures and kept.exists():
        raise BadClass("The class has pictures. Move them first, or say that they are to be deleted with it.")
    return change_samples(
        kept,
        Kind.DELETE_CLASS,
        lambda _: {"deleted_at": now},
        project=image_class.project,
        by=by,
        details={"class": image_class.name},
        classes={image_class.pk: {"deleted_at": now}},
    )


def add_negative_class(project: Project, *, by: User | None) -> ImageClass:
    """Return the class for pictures that show none of the others, made if there is none."""
    known = list_classes(project).filter(is_negative=True).first()
    if known is not None:
        return known
    made = get_or_create_class(project, NEGATIVE_NAME)
    edit_class(made, by=by, is_negative=True)
    return made


def list_near_names(image_class: ImageClass) -> list[ImageClass]:
    """List the other classes whose names are nearly the same, so that the two may be meant as one."""
    others = {row.name: row for row in list_classes(image_class.project).exclude(pk=image_class.pk)}
    return [others[name] for name in find_near(image_class.name, others)]
