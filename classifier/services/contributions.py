"""Pictures that people without an account send by a link: they wait until a member accepts or refuses them."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from classifier.disk import check_room
from classifier.models import Contribution, ImageClass, Project, ShareLink, UploadItem
from classifier.selectors import list_classes
from classifier.services.images import read_bounded, read_file
from classifier.services.incoming_files import storable
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


def contribute(
    link: ShareLink, class_id: int | None, files: "Sequence[File[bytes]]", *, sender: str = ""
) -> list[Received]:
    """Keep pictures until a member has looked at them. Raise ChooseClass, TooManyWait, TooManyAsked, DiskFull."""
    project = link.project
    image_class = list_classes(project).filter(pk=class_id).first() if class_id is not None else None
    if image_class is None:
        raise ChooseClass
    if project.contributions.count() + len(files) > MOST_WAITING:
        raise TooManyWait
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


def accept(project: Project, ids: Iterable[int], *, by: User) -> int:
    """Take pictures that wait into the classes they were sent for, as an upload; return how many have become samples.

    A class that is gone meanwhile leaves its pictures without one; a picture that is gone is listed no longer.
    """
    chosen = list(list_waiting(project).filter(pk__in=list(ids)[:AT_ONCE]))
    if not chosen:
        return 0
    upload, stored = start_upload(project, "Sent by link", by=by), 0
    for start in range(0, len(chosen), IN_MEMORY):
        part = chosen[start : start + IN_MEMORY]
        outcomes = add_read(upload, [entry for one in part if (entry := _read(one)) is not None])
        stored += sum(outcome.status == UploadItem.Status.STORED for outcome in outcomes)
        refuse(project, [one.pk for one in part])
    return stored


def _read(contribution: Contribution) -> ArchiveEntry | None:
    label = contribution.image_class.name if contribution.image_class else None
    try:
        return ArchiveEntry(contribution.file_name, label, read_file(contribution.path), None)
    except FileNotFoundError:
        log.warning("contribution_lost", project=contribution.project_id, sha256=contribution.sha256)
        return None


def refuse(project: Project, ids: Iterable[int]) -> int:
    """Delete pictures that wait."""
    chosen = list(project.contributions.filter(pk__in=list(ids)[:MOST_WAITING]))
    Contribution.objects.filter(pk__in=[one.pk for one in chosen]).delete()
    for one in chosen:
        default_storage.delete(one.path)
    return len(chosen)
