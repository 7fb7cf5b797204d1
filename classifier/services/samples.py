"""Moving, deleting and restoring samples, their splits and groups by hand, and emptying the trash."""

from collections.abc import Iterable

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from classifier.models import Image, ImageClass, Project, Sample
from classifier.services.images import THUMBNAIL_SIZES
from classifier.services.projects import InvalidName
from ml.datasets.groups import MAX_GROUP_LENGTH, SAME_PHOTO, clean_group

SLICE = 1000


def move_samples(project: Project, ids: Iterable[int], *, to: ImageClass) -> int:
    """Give the samples another class; their split stays. Return how many moved."""
    return Sample.objects.filter(project=project, pk__in=list(ids), deleted_at=None).update(image_class=to)


@transaction.atomic
def set_split(project: Project, ids: Iterable[int], split: str) -> int:
    """Give the samples a split by hand, with all others of their groups, which never lie in two. Return how many."""
    Project.objects.select_for_update().get(pk=project.pk)  # no training deals them meanwhile
    kept = Sample.objects.filter(project=project, deleted_at=None, image_class__isnull=False)
    chosen = kept.filter(pk__in=list(ids))
    groups = list(chosen.exclude(group="").order_by().values_list("group", flat=True).distinct())
    return kept.filter(Q(pk__in=chosen.values("pk")) | Q(group__in=groups)).update(split=split, split_is_given=True)


def set_group(project: Project, ids: Iterable[int], group: str) -> int:
    """Say that the samples show the same thing, under a name of the group, or take them out of theirs with "".

    Their splits stay until somebody asks for the groups to be kept together. Return how many. Raise InvalidName.
    """
    if group != clean_group(group):
        raise InvalidName(
            f"The name of a group has at most {MAX_GROUP_LENGTH} characters and does not begin “{SAME_PHOTO}”."
        )
    return Sample.objects.filter(project=project, pk__in=list(ids), deleted_at=None).update(group=group)


def delete_samples(project: Project, ids: Iterable[int]) -> int:
    """Move samples to the trash, from where they can be restored. Return how many."""
    kept = Sample.objects.filter(project=project, pk__in=list(ids), deleted_at=None)
    return kept.update(deleted_at=timezone.now())


def restore_samples(project: Project, ids: Iterable[int]) -> int:
    """Move samples back from the trash to their class. Return how many."""
    deleted = Sample.objects.filter(project=project, pk__in=list(ids), deleted_at__isnull=False)
    return deleted.update(deleted_at=None)


def purge_samples(project: Project) -> int:
    """Empty the project's trash for good. Picture files that no project uses any more go too."""
    count = 0
    while ids := list(_deleted(project).values_list("pk", flat=True)[:SLICE]):
        count += len(ids)
        _purge(_deleted(project).filter(pk__in=ids))
    return count


def _deleted(project: Project) -> QuerySet[Sample]:
    return Sample.objects.filter(project=project, deleted_at__isnull=False).order_by("pk")


def _purge(samples: QuerySet[Sample]) -> None:
    """Purge samples in one transaction of a size that lets others write in between."""
    with transaction.atomic():
        image_ids = list(samples.values_list("image_id", flat=True))
        samples.delete()
        unused = list(Image.objects.filter(pk__in=image_ids, samples=None))
        Image.objects.filter(pk__in=[image.pk for image in unused]).delete()
    for image in unused:
        if not Image.objects.filter(sha256=image.sha256).exists():  # uploaded again meanwhile
            _delete_files(image)


def _delete_files(image: Image) -> None:
    for path in (image.path, *(image.thumbnail_path(size) for size in THUMBNAIL_SIZES)):
        default_storage.delete(path)
