"""Deleting the backbones that people added: first to the trash, and for good when no version needs them any longer."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from classifier.jobs.lifecycle import cancel_job
from classifier.models import Candidate, CustomBackbone, Embedding, Image, Job, ModelVersion
from classifier.models.custom_backbone import backbone_file_path
from classifier.selectors import list_custom_backbones
from classifier.services.audit_log import record
from classifier.services.custom_backbones import find_backbone, lock_backbone
from classifier.services.purging import NotInTrash, delete_unnamed
from ml.backbones.spec import BackboneMissing, custom_backbone_dir
from ml.engines.embeddings import embedding_key
from ml.errors import Conflict

log = structlog.get_logger(__name__)

IMAGES_AT_ONCE = 5000  # whose embeddings one statement deletes: others want to write, too


class StillNeeded(Conflict):
    """A version, a candidate or an open job has need of the backbone. The message says of which."""


class AddedAgain(Conflict):
    """The same network was added again after it had been deleted."""

    def __init__(self) -> None:
        super().__init__("You have added the same network again, so there is nothing to restore.")


def remove_backbone(custom: CustomBackbone) -> None:
    """Move a backbone to the trash: nobody trains with it any longer, and versions that use it keep working.

    One that has not been opened, or could not be, is deleted at once: there is nothing of it to keep.
    """
    if custom.job is not None and custom.job.is_open:
        cancel_job(custom.job)
    if not custom.name:
        custom.delete()
        return
    custom.is_offered, custom.removed_at = False, timezone.now()
    custom.save(update_fields=["is_offered", "removed_at"])
    record("backbone.deleted", custom.title)


def list_trashed_backbones(user: User) -> QuerySet[CustomBackbone]:
    """List the deleted backbones of this user, the newest first."""
    return CustomBackbone.objects.filter(owner=user, project=None).exclude(removed_at=None).order_by("-removed_at")


@transaction.atomic
def restore_backbone(custom: CustomBackbone) -> None:
    """Take a backbone out of the trash. Raise AddedAgain."""
    owner = User.objects.select_for_update().get(custom_backbones=custom)
    if list_custom_backbones(owner).filter(name=custom.name).exists():
        raise AddedAgain
    CustomBackbone.objects.filter(pk=custom.pk).update(is_offered=True, removed_at=None)
    record("backbone.restored", custom.title)


def explain_need(custom: CustomBackbone) -> str:
    """Say what has need of a backbone; empty if nothing does, or where somebody else added the same network."""
    if _others(custom).exists():
        return ""
    version = ModelVersion.every.filter(backbone=custom.name).select_related("project").first()
    if version is not None:
        return f"{version.title} of “{version.project.name}” was trained with it."
    candidate = Candidate.objects.filter(backbone=custom.name).select_related("project").first()
    if candidate is not None:
        return f"The candidate of “{candidate.project.name}” was trained with it."
    if Job.objects.filter(status__in=Job.OPEN, config__backbone=custom.name).exists():
        return "A job is working with it."
    return ""


def purge_backbone(custom: CustomBackbone) -> None:
    """Delete a backbone in the trash for good, with its files and all embeddings by it.

    Raise StillNeeded, or NotInTrash for one that was restored meanwhile.
    """
    same = CustomBackbone.objects.filter(name=custom.name)
    with transaction.atomic():
        _check_purge(custom)
    if not same.exclude(pk=custom.pk).exists():
        _delete_embeddings(custom)  # before the row, which tells of them: interrupted, this begins again
    with transaction.atomic():
        _check_purge(custom)
        CustomBackbone.objects.filter(pk=custom.pk).delete()
        record("backbone.purged", custom.title)
    delete_unnamed((backbone_file_path(custom.name, file), same) for file in custom.spec["files"])
    if not same.exists():
        shutil.rmtree(custom_backbone_dir(custom.name, settings.ML), ignore_errors=True)
    log.info("backbone_purged", backbone=custom.name)


def _check_purge(custom: CustomBackbone) -> None:
    """Lock the backbone and check that it may go. Raise StillNeeded, NotInTrash."""
    lock_backbone(custom.name)
    if not CustomBackbone.objects.filter(pk=custom.pk).exclude(removed_at=None).exists():
        raise NotInTrash
    if need := explain_need(custom):
        raise StillNeeded(f"{need} The backbone stays until that is deleted for good.")


def purge_expired_backbones() -> None:
    """Delete for good what has been in the trash for its days and is needed no longer. For the reaper.

    The network of a version that was deleted for good goes at once.
    """
    until = timezone.now() - timedelta(days=settings.TRASH_DAYS)
    for custom in CustomBackbone.objects.filter(Q(removed_at__lt=until) | Q(removed_at__isnull=False, project__gt=0)):
        if not explain_need(custom):
            with suppress(StillNeeded, NotInTrash):  # by now
                purge_backbone(custom)


def _others(custom: CustomBackbone) -> QuerySet[CustomBackbone]:
    """List other rows of the same network, which need its files."""
    return CustomBackbone.objects.filter(name=custom.name, removed_at=None).exclude(pk=custom.pk)


def _delete_embeddings(custom: CustomBackbone) -> None:
    try:
        key = embedding_key(find_backbone(custom.name).digest)
    except BackboneMissing:
        return  # its files are gone, and with them what its embeddings are known by
    for first, last in _slices():
        Embedding.objects.filter(image__gte=first, image__lte=last, key__startswith=key).delete()


def _slices() -> Iterator[tuple[int, int]]:
    """Yield the ids of all images in slices: embeddings are found by their image."""
    last = Image.objects.aggregate(last=Max("pk"))["last"] or 0
    for first in range(1, last + 1, IMAGES_AT_ONCE):
        yield first, first + IMAGES_AT_ONCE - 1
