"""An archive that comes in parts, over days if need be -> upload."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import NamedTuple

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.crypto import get_random_string

from classifier.disk import check_room
from classifier.locks import hold_row
from classifier.models import PartialUpload, Project
from classifier.services.incoming_files import storable
from classifier.services.quotas import check_quota
from classifier.services.uploads import describe_reading, queue_ingest
from classifier.storage import PartsLost, part_storage
from ml.datasets.names import looks_like_archive, why_no_archive
from ml.datasets.readings import parse_layout
from ml.errors import Conflict, Refused, UserError

log = structlog.get_logger(__name__)
MOST_OPEN = 20  # of one user
KEPT = timedelta(days=7)  # since the last part
LONGEST_LAYOUT = 1000
ENDED = Q(offset__lt=F("size")) | Q(upload__isnull=False)  # what may expire: a whole archive waits for its turn
MOST_PART = settings.DATA_UPLOAD_MAX_MEMORY_SIZE  # bytes; a part is in memory while it comes


class TooLarge(UserError):
    """The archive is larger than what is said at its beginning, or than archives may be."""

    status = 413


class NotThere(Conflict):
    """The part does not follow on what is there; the sender asks for the offset, and goes on from it."""


class Announced(NamedTuple):
    """What is said of an archive before its first byte."""

    name: str
    size: int
    layout: str = ""
    confirm: bool = False
    last_modified: int | None = None
    metadata: str = ""


def begin(project: Project, announced: Announced, *, by: User) -> PartialUpload:
    """Make room for an archive that comes in parts. Raise Refused, TooLarge, Conflict, BadLayout, DiskFull."""
    _check(announced)
    check_room(announced.size)
    check_quota(project)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)  # two requests at once count each other
        if PartialUpload.objects.filter(created_by=by, upload=None).count() >= MOST_OPEN:
            raise Conflict(f"You have {MOST_OPEN} unfinished uploads. Finish or discard one of them first.")
        return PartialUpload.objects.create(
            token=get_random_string(24),
            project=project,
            created_by=by,
            name=storable(announced.name, 300),
            size=announced.size,
            layout=str(parse_layout(announced.layout)) if announced.layout else "",
            confirm=announced.confirm,
            last_modified=announced.last_modified,
            metadata=announced.metadata,
        )


def _check(announced: Announced) -> None:
    if not looks_like_archive(announced.name):
        raise Refused(f"{why_no_archive(announced.name)} Its name is expected as “filename”.")
    if len(announced.layout) > LONGEST_LAYOUT:
        raise Refused(f"A layout may have {LONGEST_LAYOUT} characters at most.")
    if announced.size < 1:
        raise Refused("The archive is empty.")
    if announced.size > settings.ARCHIVE_LIMITS.max_total_bytes:
        raise TooLarge(f"An archive may have {settings.ARCHIVE_LIMITS.max_total_bytes // 2**30} GB at most.")


def append(partial: PartialUpload, offset: int, data: bytes, *, whole: bool = True) -> PartialUpload:
    """Keep a part, and return the row as it is then; what its offset tells is on the disk.

    With the last part the archive becomes an upload. `whole` is False if the part was cut off: what has come of it is
    kept, where the storage can.

    Raise NotThere, TooLarge, Refused, DiskFull.
    """
    check_room(len(data))
    with _hold(partial) as held:
        lost = _keep(held, offset, data, whole=whole)
    if lost:
        raise lost
    return finish(held)


@contextmanager
def _hold(partial: PartialUpload) -> Iterator[PartialUpload]:
    with hold_row(PartialUpload, partial.pk) as held:
        if held is None:
            raise NotThere("Another request is at work on this upload at the moment.")
        yield held


def _keep(held: PartialUpload, offset: int, data: bytes, *, whole: bool) -> NotThere | None:
    if offset != held.offset:
        raise NotThere(f"The upload has {held.offset} bytes, so the next part does not begin at {offset}.")
    if offset + len(data) > held.size:
        raise TooLarge(f"The upload was announced with {held.size} bytes, and this would be more.")
    if not data:
        return None
    storage = part_storage()
    if len(data) < storage.least_part and offset + len(data) < held.size:
        raise Refused(f"Send parts of {storage.least_part // 2**20} MB or more." if whole else "The part was cut off.")
    try:
        held.parts = storage.append(held.path, offset, data, held.parts)
    except PartsLost as lost:
        return _go_back(held, lost.kept)
    _record(held, offset + len(data))
    return None


def _record(held: PartialUpload, offset: int) -> None:
    """Acknowledge what is on the disk."""
    held.offset, held.touched_at = offset, timezone.now()
    held.save(update_fields=["offset", "touched_at", "parts"])


def _go_back(held: PartialUpload, kept: int) -> NotThere:
    """Take back what was acknowledged and is lost, so that the sender can send it again; return what tells so."""
    log.error("parts_lost", path=held.path, acknowledged=held.offset, kept=kept)
    _record(held, kept)
    if kept:
        return NotThere(f"The storage has lost all but the first {kept} bytes of this upload. Go on from there.")
    return NotThere("The storage has lost what had come of this upload. Send it again from its beginning.")


def finish(partial: PartialUpload) -> PartialUpload:
    """Turn an archive of which all has come into an upload, once, and return the row as it is then.

    What hinders that now, the reaper tries again. Raise NotThere if the storage has lost what had come.
    """
    if not partial.is_whole:
        return partial
    with hold_row(PartialUpload, partial.pk) as held:
        if held is None or not held.is_whole or held.upload_id is not None:  # another is at it, or was
            return held or partial
        lost = _complete(held)
    if lost:
        raise lost
    return held


def _complete(held: PartialUpload) -> NotThere | None:
    try:
        part_storage().complete(held.path, held.size, held.parts)
    except PartsLost as lost:
        return _go_back(held, lost.kept)
    config = {"archive": held.path, "name": held.name} | describe_reading(held.layout, confirm=held.confirm)
    with suppress(Conflict), transaction.atomic():  # too many open jobs
        held.upload = queue_ingest(held.project, source=held.name, config=config, by=held.created_by)
        held.save(update_fields=["upload"])
    return None


def discard(partial: PartialUpload) -> None:
    """Delete an upload and what has come of it. What has become an upload of the usual kind stays. Raise NotThere."""
    with _hold(partial) as held:
        _delete(held)


def _delete(held: PartialUpload) -> None:
    if held.upload_id is None:
        part_storage().discard(held.path, held.parts)
    held.delete()


def list_open(project: Project) -> QuerySet[PartialUpload]:
    """List the uploads of which parts are missing, the newest first."""
    return project.partial_uploads.filter(offset__lt=F("size"))


def tend_partial_uploads() -> None:
    """Finish what has come as a whole, and delete what nobody has gone on with for a week. For the reaper."""
    for partial in PartialUpload.objects.filter(upload=None, offset=F("size")):
        with suppress(NotThere):
            finish(partial)
    until = timezone.now() - KEPT
    for partial in PartialUpload.objects.filter(ENDED, touched_at__lt=until)[:100]:
        with suppress(NotThere), _hold(partial) as held:
            if held.touched_at < until:  # nobody has come back just now
                _delete(held)
