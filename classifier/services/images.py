"""Picture files: stored once per sha256, read from the default storage."""

import contextlib
from collections.abc import Iterable
from typing import Any

import structlog
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import IntegrityError
from django.db.models import Model
from django.utils import timezone

from classifier.models import Image
from classifier.models.image import image_path
from classifier.prepared import insert_rows
from classifier.storage import cache_file, store_unsynced, sync_files
from ml.images.decoding import ImageFacts
from ml.serving.current import inference

log = structlog.get_logger(__name__)


def store_picture(data: bytes) -> ImageFacts:
    """Verify the bytes and store the file where it belongs. Raise ImageRejected. Safe in many threads.

    The row comes later, from `ensure_images`, after `sync_pictures`: a file without a row is harmless, a row without a
    file is not.
    """
    facts = inference().verify(data, settings.IMAGE_LIMITS)
    store_unsynced(image_path(facts.sha256), data)
    return facts


def sync_pictures(facts: Iterable[ImageFacts]) -> None:
    """Return once the stored files of these pictures are on the disk."""
    sync_files([image_path(fact.sha256) for fact in facts])


def ensure_images(facts: Iterable[ImageFacts]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the ids by sha256 of stored pictures: of those whose rows are created now, and of those that had one.

    Nobody deletes them for good until the transaction ends. Files of new ones may have been: see `list_lost`.
    """
    rows = {fact.sha256: (fact.sha256, fact.format, fact.width, fact.height, fact.size) for fact in facts}
    fields = ("sha256", "format", "width", "height", "size")
    new: dict[str, int] = {}
    known: dict[str, int] = {}
    # By sha256: two writers who lock the same rows in another order would wait for each other. Again for those that
    # others have deleted between two of the lines.
    while missing := sorted(rows.keys() - new.keys() - known.keys()):
        made = insert_rows(Image, fields, [rows[sha256] for sha256 in missing], returning="sha256")
        new |= {sha256: pk for pk, sha256 in made}
        if len(made) == len(missing):
            continue
        others = Image.objects.filter(sha256__in=[sha256 for sha256 in missing if sha256 not in new])
        held = others.select_for_update(no_key=True).order_by("sha256")
        known |= dict(held.values_list("sha256", "pk"))
        others.exclude(damaged_at=None).update(damaged_at=None)  # storing them has made their files whole
    return new, known


def insert_for_images(model: type[Model], fields: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Insert what was computed of images, whose ids come first in each row, but for images deleted meanwhile.

    Somebody may delete them for good at any time; whoever needs them finds out when they read what was computed.
    """
    try:
        insert_rows(model, fields, rows)
    except IntegrityError:
        there = set(Image.objects.filter(pk__in=[row[0] for row in rows]).values_list("pk", flat=True))
        insert_rows(model, fields, [row for row in rows if row[0] in there])


def set_aside(image: Image) -> None:
    """Leave a picture that cannot be read out of trainings until it is uploaded again."""
    Image.objects.filter(pk=image.pk, damaged_at=None).update(damaged_at=timezone.now())
    log.warning("picture_set_aside", sha256=image.sha256)


def read_picture(image: Image) -> bytes:
    """Return the stored bytes. Raise OSError if the storage has lost them."""
    return read_file(image.path)


def read_bounded(file: "File[bytes]") -> bytes:
    """Return an uploaded file's bytes, but at most one more than the limit: enough for the check to refuse it."""
    return bytes(file.read(settings.IMAGE_LIMITS.max_bytes + 1))


def read_file(path: str) -> bytes:
    with default_storage.open(path) as file:
        return bytes(file.read())


def read_thumbnail(image: Image, size: int) -> bytes:
    """Return a small picture, made when it is first asked for and then kept."""
    path = image.thumbnail_path(size)
    with contextlib.suppress(OSError):  # not made yet, or half the storage was lost
        known = read_file(path)
        if known.strip(b"\0"):  # a power cut may leave nothing or zeros
            return known
    thumbnail = inference().thumbnail(read_picture(image), size, settings.IMAGE_LIMITS)
    with contextlib.suppress(OSError):  # a full disk is no reason not to show what is made
        cache_file(path, thumbnail)
    return thumbnail
