"""Delete the files of pictures for good, although somebody may be uploading the same pictures at that moment.

An upload stores a file first and makes its row later, by minutes where an archive is read in parts. What was purged is
therefore kept in mind for some days. Both sides hold on to those rows: a file is deleted only where no row has been
made meanwhile, and whoever makes one finds out whether the file has gone.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from classifier.models import Image, PurgedPicture
from classifier.models.image import THUMBNAIL_SIZES, image_path, thumbnail_path
from classifier.prepared import any_of

AT_ONCE = 50  # pictures whose files are deleted while others wait who would make rows of them
KEPT = timedelta(days=3)  # longer than any archive is being read
ROUND = 1000  # in one round of the reaper


def note_purged(images: Sequence[Image]) -> None:
    """Keep in mind that these pictures are deleted for good, in the transaction that deletes their rows."""
    now = timezone.now()
    PurgedPicture.objects.bulk_create(
        [PurgedPicture(sha256=image.sha256, purged_at=now, stored_until=image.created_at) for image in images],
        update_conflicts=True,
        unique_fields=["sha256"],
        update_fields=["purged_at", "stored_until"],
    )


def delete_purged_files(sha256s: Sequence[str]) -> None:
    """Delete the files of purged pictures, but for those that have rows again or were stored again since."""
    lately = timezone.now() - KEPT
    for start in range(0, len(sha256s), AT_ONCE):
        with transaction.atomic():
            for purged in _without_rows(_hold(sha256s[start : start + AT_ONCE])):
                if not _is_younger(purged, max(purged.stored_until, lately)):
                    _delete_files(purged.sha256)


def list_lost(sha256s: Iterable[str]) -> set[str]:
    """Return which pictures have no file any more, of those whose rows the same transaction has just made."""
    if not PurgedPicture.objects.exists():  # as nearly always
        return set()
    held = _hold(list(sha256s))
    lost = {purged.sha256 for purged in held if not default_storage.exists(image_path(purged.sha256))}
    _forget(purged for purged in held if purged.sha256 not in lost)
    return lost


def sweep_purged() -> None:
    """Forget what was purged days ago, and delete files that were stored again and got no row. For the reaper."""
    until = timezone.now() - KEPT
    old = list(PurgedPicture.objects.filter(purged_at__lt=until).values_list("pk", flat=True)[:ROUND])
    for start in range(0, len(old), AT_ONCE):
        with transaction.atomic():
            held = _hold(old[start : start + AT_ONCE])
            younger = {purged.sha256 for purged in _without_rows(held) if _is_younger(purged, until)}
            done = [purged for purged in held if purged.sha256 not in younger]
            for purged in _without_rows(done):
                _delete_files(purged.sha256)
            _forget(done)


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
