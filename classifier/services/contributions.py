"""Pictures that people without an account send by a link: they wait until a member accepts or refuses them."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db.models import Count, QuerySet, Sum

from classifier.disk import check_room
from classifier.models import Contribution, ImageClass, Project, Sample, ShareLink, UploadItem
from classifier.selectors import list_classes
from classifier.services.images import read_bounded, read_file
from classifier.services.incoming_files import storable
from classifier.services.live_classes import live_ids
from classifier.services.projects import InvalidName
from classifier.services.quotas import has_quota_left
from classifier.services.samples import MAX_TAG_LENGTH, add_tag
from classifier.services.share_links import count_pictures
from classifier.services.uploads import add_read, start_upload
from classifier.storage import store_once
from ml.datasets.archives import ArchiveEntry
from ml.errors import Conflict, Refused
from ml.images.decoding import ImageRejected
from ml.serving.current import inference

log = structlog.get_logger(__name__)

MOST_WAITING = 5000  # in a project
AT_ONCE = 500  # pictures that are accepted in one request
IN_MEMORY = 8  # of them
LONGEST_NAME = 50


class TooManyWait(Conflict):
    """Nobody has looked at what was sent so far."""

    def __init__(self) -> None:
        super().__init__(
            "No more pictures are taken until somebody has looked at those that wait. Tell whoever gave you this link."
        )


class ChooseClass(Refused):
    """A picture was sent without saying what it shows."""

    def __init__(self) -> None:
        super().__init__("Choose what the pictures show.")


class Received(NamedTuple):
    """What became of a file that was sent: `problem` is empty where it waits now."""

    file_name: str
    problem: str


class NoRoom(Conflict):
    """The quota of the project or its owner is used up, which is not told to strangers."""

    def __init__(self) -> None:
        super().__init__("There is no room for more pictures. Tell whoever gave you this link.")


class Accepted(NamedTuple):
    """How many pictures have become samples, and how many still wait, with the reason of the first."""

    stored: int
    left: int
    reason: str


def contribute(
    link: ShareLink, class_id: int | None, files: "Sequence[File[bytes]]", *, sender: str = ""
) -> list[Received]:
    """Keep pictures until a member has looked at them.

    Raise ChooseClass, TooManyWait, NoRoom, TooManyAsked, DiskFull.
    """
    project = link.project
    image_class = list_classes(project).filter(pk=class_id).first() if class_id is not None else None
    if image_class is None:
        raise ChooseClass
    if project.contributions.count() + len(files) > MOST_WAITING:
        raise TooManyWait
    waiting = project.contributions.aggregate(n=Count("pk"), size=Sum("size"))
    if not has_quota_left(project, pictures=waiting["n"] + len(files) - 1, size=waiting["size"] or 0):
        raise NoRoom
    count_pictures(link, len(files))
    check_room(0)
    sender = " ".join(sender.split())[:LONGEST_NAME]
    received = []
    for file in files:  # one at a time in memory
        name = file.name or ""
        received.append(Received(name, _receive(link, image_class, name, read_bounded(file), sender)))
    return received


def _receive(link: ShareLink, image_class: ImageClass, name: str, data: bytes, sender: str) -> str:
    try:
        inference().verify(data, settings.IMAGE_LIMITS)
    except ImageRejected as error:
        return str(error)
    sha256 = hashlib.sha256(data).hexdigest()
    kept = Contribution(project_id=link.project_id, sha256=sha256)
    store_once(kept.path, data)  # before the row that names it
    about = {"link": link, "image_class": image_class, "size": len(data), "sender": sender}
    about["file_name"] = storable(name, 300) or "picture"
    Contribution.objects.get_or_create(project_id=link.project_id, sha256=sha256, defaults=about)
    return ""


def list_waiting(project: Project) -> QuerySet[Contribution]:
    """List what waits, the oldest first, with the classes."""
    return project.contributions.select_related("image_class")


def thumbnail_of(contribution: Contribution, size: int) -> bytes:
    """Return a small picture of what waits. Raise OSError if the storage has lost it."""
    return inference().thumbnail(read_file(contribution.path), size, settings.IMAGE_LIMITS)


def accept(project: Project, ids: Iterable[int], *, by: User) -> Accepted:
    """Take pictures that wait into the classes they were sent for, as an upload; they are tagged with who sent them.

    A class that is gone meanwhile leaves its pictures without one; a picture that is gone is listed no longer. What
    cannot be taken, as there is no room for it, waits on.
    """
    chosen = list(list_waiting(project).filter(pk__in=list(ids)[:AT_ONCE]))
    if not chosen:
        return Accepted(0, 0, "")
    upload, stored, problems = start_upload(project, "Sent by link", by=by), 0, []
    classes = _names_now(project)
    for start in range(0, len(chosen), IN_MEMORY):
        read = [(one, _read(one, classes)) for one in chosen[start : start + IN_MEMORY]]
        refuse(project, [one.pk for one, entry in read if entry is None])
        there = [one for one, entry in read if entry is not None]
        outcomes = add_read(upload, [entry for _, entry in read if entry is not None])
        problems += [outcome.reason for outcome in outcomes if outcome.status == UploadItem.Status.REJECTED]
        taken = [
            (one, outcome)
            for one, outcome in zip(there, outcomes, strict=True)
            if outcome.status != UploadItem.Status.REJECTED
        ]
        stored += sum(outcome.status == UploadItem.Status.STORED for _, outcome in taken)
        _tag_senders(project, [one for one, outcome in taken if outcome.status == UploadItem.Status.STORED], by)
        refuse(project, [one.pk for one, _ in taken])
    return Accepted(stored, len(problems), problems[0] if problems else "")


def _names_now(project: Project) -> dict[int, str]:
    """Return the name of the class that each class is now, by its id, without those that are gone."""
    names = dict(list_classes(project).values_list("pk", "name"))
    return {pk: names[place] for pk, place in live_ids(project).items() if place in names}


def _read(contribution: Contribution, classes: dict[int, str]) -> ArchiveEntry | None:
    label = classes.get(contribution.image_class_id or 0)
    try:
        return ArchiveEntry(contribution.file_name, label, read_file(contribution.path), None)
    except FileNotFoundError:
        log.warning("contribution_lost", project=contribution.project_id, sha256=contribution.sha256)
        return None


def _tag_senders(project: Project, taken: list[Contribution], by: User) -> None:
    """Tag new pictures with whoever sent them, so that they are found again should that person ask for it."""
    for sender in sorted({one.sender for one in taken if one.sender}):
        theirs = [one.sha256 for one in taken if one.sender == sender]
        samples = Sample.objects.filter(project=project, image__sha256__in=theirs)
        tag = f"from {sender}".replace("|", " ")[:MAX_TAG_LENGTH]
        with suppress(InvalidName):  # whatever strangers call themselves
            add_tag(project, samples, tag, by=by)


def refuse(project: Project, ids: Iterable[int]) -> int:
    """Delete pictures that wait."""
    chosen = list(project.contributions.filter(pk__in=list(ids)[:MOST_WAITING]))
    Contribution.objects.filter(pk__in=[one.pk for one in chosen]).delete()
    for one in chosen:
        default_storage.delete(one.path)
    return len(chosen)
