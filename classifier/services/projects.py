"""Projects and their classes."""

import contextlib
import json
import secrets
import unicodedata
from collections.abc import Collection

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.text import slugify

from classifier.models import ImageClass, Project
from classifier.prepared import PreparedObjects, any_in
from classifier.selectors import list_classes
from classifier.services.audit_log import record
from ml.datasets.class_names import MAX_CLASS_NAME_LENGTH
from ml.errors import Refused

# Asked with every picture that comes in.
BY_NAME = PreparedObjects(
    ImageClass, lambda pk, names: list_classes(Project(pk=pk)).filter(name__in=any_in(str, names)), int, str
)
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
        return _recorded(Project.objects.create(name=name, slug=slug, owner=by))
    base = slugify(name)[:50].strip("-_") or "project"
    while True:
        with contextlib.suppress(IntegrityError), transaction.atomic():  # one in 16 million is taken
            return _recorded(Project.objects.create(name=name, slug=f"{base}-{secrets.token_hex(3)}", owner=by))


def _recorded(project: Project) -> Project:
    record("project.created", project, by=project.owner, slug=project.slug)
    return project


def rename_project(project: Project, name: str) -> None:
    project.name = clean_name(name, longest=100)
    project.save(update_fields=["name"])


def get_or_create_class(project: Project, name: str) -> ImageClass:
    """Return the project's class of that name. One that was deleted stays so: a new one is made. Raise InvalidName."""
    name = clean_class_name(name)
    known = list_classes(project).filter(name=name).first()
    if known is not None:
        return known
    last = list_classes(project).aggregate(last=Max("position"))["last"]
    values = {"position": last + 1 if last else 0}  # behind the others, where somebody has ordered them
    return ImageClass.objects.get_or_create(project=project, name=name, deleted_at=None, defaults=values)[0]


def ensure_classes(project: Project, names: Collection[str]) -> dict[str, ImageClass]:
    """Return the project's classes of these clean names, creating the missing ones in alphabetical order."""
    found = {row.name: row for row in BY_NAME.objects(project.pk, json.dumps(list(names)))}
    return found | {name: get_or_create_class(project, name) for name in sorted(names) if name not in found}
