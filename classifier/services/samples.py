"""Moving, deleting and restoring samples, and emptying the trash."""

from collections.abc import Iterable

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from classifier.models import Image, ImageClass, Project, Sample
from classifier.services.images import THUMBNAIL_SIZES


def move_samples(project: Project, ids: Iterable[int], *, to: ImageClass) -> int:
    """Give the samples another class; their split stays. Returns how many moved."""
    return Sample.objects.filter(project=project, pk__in=list(ids), deleted_at=None).update(image_class=to)


def delete_samples(project: Project, ids: Iterable[int]) -> int:
    """To the trash, from where they can be restored. Returns how many went."""
    kept = Sample.objects.filter(project=project, pk__in=list(ids), deleted_at=None)
    return kept.update(deleted_at=timezone.now())


def restore_samples(project: Project, ids: Iterable[int]) -> int:
    """Back from the trash to their class. Returns how many came."""
    deleted = Sample.objects.filter(project=project, pk__in=list(ids), deleted_at__isnull=False)
    return deleted.update(deleted_at=None)


def purge_samples(project: Project) -> int:
    """Empty the project's trash for good. Picture files that no project uses any more go too."""
    with transaction.atomic():
        deleted = Sample.objects.filter(project=project, deleted_at__isnull=False)
        image_ids = list(deleted.values_list("image_id", flat=True))
        count, _ = deleted.delete()
        unused = list(Image.objects.filter(pk__in=image_ids, samples=None))
        Image.objects.filter(pk__in=[image.pk for image in unused]).delete()
        transaction.on_commit(lambda: _delete_files(unused))
    return count


def _delete_files(images: list[Image]) -> None:
    for image in images:
        for path in (image.path, *(image.thumbnail_path(size) for size in THUMBNAIL_SIZES)):
            default_storage.delete(path)
