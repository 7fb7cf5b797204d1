"""Projects and their classes."""

import contextlib
import secrets
import unicodedata
from collections.abc import Collection

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from classifier.models import ImageClass, Project
from ml.datasets.class_names import MAX_CLASS_NAME_LENGTH
from ml.errors import Refused

RESERVED_SLUGS = {"new", "samples"}  # addresses of their own below /projects/


class InvalidName(Refused):
    """The name cannot be used; the message says why."""


def clean_name(name: str, *, longest: int) -> str:
    """Return the name trimmed and in NFC. Raise InvalidName for control characters; any script is welcome."""
    cleaned = unicodedata.normalize("NFC", name).strip()
    if not cleaned:
        raise InvalidName("Please enter a name.")
    if len(cleaned) > longest:
        raise InvalidName(f"The name is too long: use at most {longest} characters.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in cleaned):
        raise InvalidName("The name contains a control character.")
    return cleaned


def clean_class_name(name: str) -> str:
    """Return a class's name as `clean_name` leaves it."""
    return clean_name(name, longest=MAX_CLASS_NAME_LENGTH)


def create_project(name: str, *, by: User, slug: str = "") -> Project:
    """Create a project with a slug that nobody can foresee, or with the one that an operator chose. Raise InvalidName.

    Every slug ends in a random number: if only the second “Fruit” did, it would tell that somebody has a first one.
    """
    name = clean_name(name, longest=100)
    if slug:
        return Project.objects.create(name=name, slug=slug, owner=by)
    base = slugify(name)[:50].strip("-_") or "project"
    while True:
        with contextlib.suppress(IntegrityError), transaction.atomic():  # one in 16 million is taken
            return Project.objects.create(name=name, slug=f"{base}-{secrets.token_hex(3)}", owner=by)


def rename_project(project: Project, name: str) -> None:
    project.name = clean_name(name, longest=100)
    project.save(update_fields=["name"])


def get_or_create_class(project: Project, name: str) -> ImageClass:
    """Return the project's class of that name. Raise InvalidName."""
    name = clean_class_name(name)
    return ImageClass.objects.get_or_create(project=project, name=name)[0]


def ensure_classes(project: Project, names: Collection[str]) -> dict[str, ImageClass]:
    """Return the project's classes of these clean names, creating the missing ones in alphabetical order."""
    found = {row.name: row for row in project.classes.filter(name__in=list(names))}
    return found | {name: get_or_create_class(project, name) for name in sorted(names) if name not in found}


def rename_class(image_class: ImageClass, name: str) -> None:
    """Rename a class, without touching samples, splits and versions. Raise InvalidName."""
    name = clean_class_name(name)
    others = ImageClass.objects.filter(project=image_class.project_id, name=name).exclude(pk=image_class.pk)
    if others.exists():
        raise InvalidName(f"There is already a class called “{name}”. Move the pictures there instead.")
    image_class.name = name
    try:
        with transaction.atomic():
            image_class.save(update_fields=["name"])
    except IntegrityError:
        raise InvalidName(f"There is already a class called “{name}”.") from None


def delete_class(image_class: ImageClass) -> None:
    """Delete a class without samples, even deleted ones that could be restored. Raise InvalidName."""
    if image_class.samples.filter(deleted_at=None).exists():
        raise InvalidName("Move or delete its pictures first.")
    if image_class.samples.exists():
        raise InvalidName("Pictures of this class are in the trash. Restore them or empty the trash first.")
    image_class.delete()
