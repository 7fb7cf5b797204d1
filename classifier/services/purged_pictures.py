"""Delete the files of pictures for good, although somebody may be uploading the same pictures at that moment.

An upload stores a file first and makes its row later, by minutes where an archive is read in parts. What was purged is
therefore kept in mind for some days. Both sides hold on to those rows: a file is deleted only where no row has been
made meanwhile, and whoever makes one finds out whether the file has gone.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Min
from django.utils import timezone

from classifier.jobs.kinds import INGEST
from classifier.models import Image, Job, PurgedPicture
from classifier.models.image import THUMBNAIL_SIZES, image_path, thumbnail_path
from classifier.prepared import PreparedQuery, any_of

ANY = PreparedQuery(lambda: PurgedPicture.objects.values_list("pk")[:1])  # asked with every picture that comes in
AT_ONCE = 50  # pictures whose files are deleted while others wait who would make rows of them
KEPT = timedelta(days=3)  # longer than any archive is being read
REQUEST = timedelta(minutes=5)  # longer than a request takes that stores pictures
ROUND = 1000  # in one round of the reaper


def note_purged(images: Sequence[Image]) -> None:
    """Keep in mind that these pictures are deleted for good, in the transaction that deletes their rows."""
    now = timezone.now()
    PurgedPicture.objects.bulk_create(
        [PurgedPicture(sha256=image.sha256, purged_at=now, stored_until=image.created_at) for image in images],
        update_conflicts=True,
        unique_fields=["sha256"],
        update_fields=["purged_at", "stored_until", "is_left"],
    )


def delete_purged_files(sha256s: Sequence[str]) -> None:
    """Delete the files of purged pictures, but for those of which somebody may be about to make rows again."""
    for start in range(0, len(sha256s), AT_ONCE):
        with transaction.atomic():
            _delete_or_leave(_hold(sha256s[start : start + AT_ONCE]))


def list_lost(sha256s: Iterable[str]) -> set[str]:
    """Return which pictures have no file any more, of those whose rows the same transaction has just made."""
    if not ANY.rows():  # as nearly always
        return set()
    held = _hold(list(sha256s))
    lost = {purged.sha256 for purged in held if not default_storage.exists(image_path(purged.sha256))}
    _forget(purged for purged in held if purged.sha256 not in lost)
    return lost


def sweep_purged() -> None:
    """Delete files that were left once nobody can be about to make rows, and forget all days later. For the reaper."""
    delete_purged_files(list(PurgedPicture.objects.filter(is_left=True).values_list("pk", flat=True)[:ROUND]))
    old = PurgedPicture.objects.filter(purged_at__lt=timezone.now() - KEPT, is_left=False)
    old.filter(pk__in=list(old.values_list("pk", flat=True)[:ROUND])).delete()


def _delete_or_leave(held: list[PurgedPicture]) -> None:
    since, left = _storing_since(), []
    for purged in _without_rows(held):
        if _is_younger(purged, max(purged.stored_until, since)):
            left.append(purged.pk)
        else:
            _delete_files(purged.sha256)
    changed = [purged.pk for purged in held if purged.is_left != (purged.pk in left)]
    PurgedPicture.objects.filter(pk__in=changed).update(is_left=~F("is_left"))


def _storing_since() -> datetime:
    """Return since when files may have been stored whose rows are still to be made: by requests, and by open jobs."""
    now = timezone.now()
    jobs = Job.objects.filter(kind=INGEST.name, status__in=Job.OPEN)
    begun = jobs.aggregate(first=Min("created_at"))["first"] or now
    return max(min(begun, now - REQUEST), now - KEPT)


def _hold(sha256s: Sequence[str]) -> list[PurgedPicture]:
    """Return what was purged of these, and let nobody else have it until the transaction ends; in one order for all."""
    return list(PurgedPicture.objects.select_for_update().filter(pk__in=any_of(sha256s)).order_by("pk"))


def _forget(held: Iterable[PurgedPicture]) -> None:
    PurgedPicture.objects.filter(pk__in=[purged.pk for purged in held]).delete()


def _without_rows(held: list[PurgedPicture]) -> list[PurgedPicture]:
    images = Image.objects.filter(sha256__in=[purged.sha256 for purged in held])
    there = set(images.values_list("sha256", flat=True))
    return [purged for purged in held if purged.sha256 not in there]


def _is_younger(purged: PurgedPicture, since: datetime) -> bool:
    """Return whether the file was stored after that: a row of it may be about to be made."""
    try:
        return default_storage.get_modified_time(image_path(purged.sha256)) > since
    except FileNotFoundError:
        return False


def _delete_files(sha256: str) -> None:
    for path in (image_path(sha256), *(thumbnail_path(sha256, size) for size in THUMBNAIL_SIZES)):
        default_storage.delete(path)
