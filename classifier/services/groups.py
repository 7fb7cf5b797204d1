"""samples -> groups: what shows the same photo belongs together, and is never dealt into two splits."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

from classifier.models import Embedding, Project, Sample
from classifier.prepared import any_of
from ml.datasets.groups import SAME_PHOTO


def list_comparable(project: Project, key: str) -> QuerySet[Sample]:
    """List the samples among which the same photos can be looked for: those with an embedding under this key.

    They are in the order in which they came.
    """
    embedded = Embedding.objects.filter(key=key, image=OuterRef("image"))
    return Sample.objects.filter(Exists(embedded), project=project, deleted_at=None).order_by("pk")


def count_to_compare(project: Project, key: str) -> tuple[int, int]:
    """Return how many samples have not been compared with the others under this key, and how many there are."""
    comparable = list_comparable(project, key)
    return comparable.filter(is_compared=False).count(), comparable.count()


def has_uncompared(project: Project) -> bool:
    """Return whether samples with a class have not been compared with the others yet."""
    kept = Sample.objects.filter(project=project, deleted_at=None, image__damaged_at=None, image_class__isnull=False)
    return kept.filter(is_compared=False).exists()


@transaction.atomic
def join_samples(project: Project, pairs: Iterable[tuple[int, int]]) -> None:
    """Put the samples of each pair, by their ids, into one group, with the others of the groups that they have."""
    Project.objects.select_for_update().get(pk=project.pk)  # no training freezes them meanwhile
    joined = list(pairs)
    kept = Sample.objects.filter(project=project, pk__in=any_of(list({pk for pair in joined for pk in pair})))
    groups = dict(kept.values_list("pk", "group"))
    changed = {old: new for old, new in _join(groups, joined).items() if old != new}
    moved: dict[str, list[int]] = {}
    for old, new in changed.items():
        if isinstance(old, int):
            moved.setdefault(new, []).append(old)
    # One look at the project for all groups: nothing finds those of a group faster, and everybody waits who writes.
    grouped = Sample.objects.filter(project=project).exclude(group="").order_by().values_list("pk", "group")
    for pk, old_group in grouped if any(isinstance(old, str) for old in changed) else ():
        if old_group in changed:
            moved.setdefault(changed[old_group], []).append(pk)
    for new, pks in moved.items():
        Sample.objects.filter(pk__in=any_of(pks)).update(group=new)


def _join(groups: dict[int, str], pairs: list[tuple[int, int]]) -> dict[int | str, str]:
    """Return the new group of each group, and of each sample that has none."""
    parent: dict[int | str, int | str] = {}

    def find(key: int | str) -> int | str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for pair in pairs:
        if groups.keys() >= set(pair):  # otherwise one was deleted for good meanwhile
            low, high = sorted((find(groups[pk] or pk) for pk in pair), key=_rank)
            parent[high] = low
    return {key: root if isinstance(root := find(key), str) else f"{SAME_PHOTO} {root}" for key in parent}


def _rank(key: int | str) -> tuple[bool, int, str]:
    """Order what may name a group: names that people gave, then those of groups, then samples, the oldest first."""
    if isinstance(key, int):
        return True, key, ""
    return key.startswith(f"{SAME_PHOTO} "), 0, key


def list_contradictions(project: Project) -> list[str]:
    """List the groups of the same photo that have pictures of several classes."""
    found = _with_groups_of_photos(project).values("group").annotate(classes=Count("image_class", distinct=True))
    return list(found.filter(classes__gt=1).order_by("group").values_list("group", flat=True))


def _with_groups_of_photos(project: Project) -> QuerySet[Sample]:
    kept = Sample.objects.filter(project=project, deleted_at=None, image_class__isnull=False)
    return kept.filter(group__startswith=f"{SAME_PHOTO} ").order_by()
