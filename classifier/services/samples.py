"""What can be done with samples: moving, labelling, splits, groups, tags, deleting, restoring; emptying the trash."""

from collections.abc import Callable, Iterable, Iterator

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from classifier.models import Change, Image, ImageClass, Project, Sample
from classifier.models.sample import MAX_TAGS_LENGTH
from classifier.prepared import any_of
from classifier.services.changes import change_samples, now_as_text
from classifier.services.projects import InvalidName, clean_name
from classifier.services.purged_pictures import delete_purged_files, note_purged
from ml.datasets.groups import MAX_GROUP_LENGTH, SAME_PHOTO, clean_group

SLICE = 1000
MAX_TAG_LENGTH = 50
Kind = Change.Kind


def pick(project: Project, ids: Iterable[int]) -> QuerySet[Sample]:
    """Select the project's samples of these ids."""
    return Sample.objects.filter(project=project, pk__in=any_of(list(ids)))


def move_samples(project: Project, samples: QuerySet[Sample], *, to: ImageClass, by: User | None) -> Change:
    """Give the samples a class, or another one; their split stays."""
    return _give_class(project, samples.filter(deleted_at=None), Kind.MOVE, to, by)


def label_samples(project: Project, samples: QuerySet[Sample], *, to: ImageClass, by: User | None) -> Change:
    """Give a class to those of the samples that have none yet."""
    return _give_class(project, samples.filter(deleted_at=None, image_class=None), Kind.LABEL, to, by)


def _give_class(project: Project, samples: QuerySet[Sample], kind: Kind, to: ImageClass, by: User | None) -> Change:
    details = {"to": to.name, "class": to.pk}
    return change_samples(samples, kind, lambda _: {"image_class_id": to.pk}, project=project, by=by, details=details)


def unlabel_samples(project: Project, samples: QuerySet[Sample], *, by: User | None) -> Change:
    """Take the samples out of their class, so that trainings leave them out until they have one."""
    kept = samples.filter(deleted_at=None)
    return change_samples(kept, Kind.UNLABEL, lambda _: {"image_class_id": None}, project=project, by=by)


def set_split(project: Project, samples: QuerySet[Sample], split: str, *, by: User | None) -> Change:
    """Give the samples a split by hand, with all others of their groups, which never lie in two."""
    kept = Sample.objects.filter(project=project, deleted_at=None, image_class__isnull=False)
    chosen = samples.filter(deleted_at=None, image_class__isnull=False).order_by()
    groups = chosen.exclude(group="").values("group")
    wanted = kept.filter(Q(pk__in=chosen.values("pk")) | Q(group__in=groups))
    values = {"split": split, "split_is_given": True}
    return change_samples(wanted, Kind.SPLIT, lambda _: values, project=project, by=by, details={"split": split})


def set_group(project: Project, samples: QuerySet[Sample], group: str, *, by: User | None) -> Change:
    """Say that the samples show the same thing, under a name of the group, or take them out of theirs with "".

    Their splits stay until somebody asks for the groups to be kept together. Raise InvalidName.
    """
    if group:
        group = clean_name(group, longest=MAX_GROUP_LENGTH)
    if group != clean_group(group):
        raise InvalidName(
            f"The name of a group has at most {MAX_GROUP_LENGTH} characters and does not begin “{SAME_PHOTO}”."
        )
    kept = samples.filter(deleted_at=None)
    return change_samples(kept, Kind.GROUP, lambda _: {"group": group}, project=project, by=by, details={"to": group})


def add_tag(project: Project, samples: QuerySet[Sample], tag: str, *, by: User | None) -> Change:
    """Give the samples a tag. Raise InvalidName."""
    tag = clean_tag(tag)

    def add(fields: dict[str, str]) -> dict[str, str]:
        tags = f"{fields['tags'] or '|'}{tag}|"
        return {} if f"|{tag}|" in fields["tags"] or len(tags) > MAX_TAGS_LENGTH else {"tags": tags}

    return change_samples(samples, Kind.TAG, add, project=project, by=by, details={"to": tag})


def remove_tag(project: Project, samples: QuerySet[Sample], tag: str, *, by: User | None) -> Change:
    """Take a tag off the samples. Raise InvalidName."""
    tag = clean_tag(tag)

    def remove(fields: dict[str, str]) -> dict[str, str]:
        tags = fields["tags"].replace(f"|{tag}|", "|")
        return {"tags": "" if tags == "|" else tags}

    return change_samples(samples, Kind.TAG, remove, project=project, by=by, details={"removed": tag})


def clean_tag(tag: str) -> str:
    """Return a tag's name. Raise InvalidName."""
    tag = clean_name(tag, longest=MAX_TAG_LENGTH)
    if "|" in tag:
        raise InvalidName("A tag cannot contain a vertical bar.")
    return tag


def delete_samples(project: Project, samples: QuerySet[Sample], *, by: User | None) -> Change:
    """Move samples to the trash, from where they can be restored."""
    kept, now = samples.filter(deleted_at=None), now_as_text()
    return change_samples(kept, Kind.DELETE, lambda _: {"deleted_at": now}, project=project, by=by)


def restore_samples(project: Project, samples: QuerySet[Sample], *, by: User | None) -> Change:
    """Move samples back from the trash to their class."""
    deleted = samples.filter(deleted_at__isnull=False)
    return change_samples(deleted, Kind.RESTORE, lambda _: {"deleted_at": None}, project=project, by=by)


def purge_samples(project: Project) -> int:
    """Empty the project's trash for good. Picture files that no project uses any more go too."""
    count = 0
    for ids in _slices(_deleted(project)):
        count += len(ids)
        _purge(project, _deleted(project).filter(pk__in=ids))
    return count


def purge_every_sample(project: Project, told: Callable[[int], None]) -> None:
    """Delete all samples of a project that is to go, with their pictures; `told` hears how many after each slice."""
    for ids in _slices(Sample.objects.filter(project=project).order_by("pk")):
        _purge(project, Sample.objects.filter(pk__in=ids))
        told(len(ids))


def purge_chosen(project: Project, ids: list[int]) -> None:
    """Delete these samples of a project at once, with the pictures that nobody else has."""
    for start in range(0, len(ids), SLICE):
        _purge(project, Sample.objects.filter(project=project, pk__in=any_of(ids[start : start + SLICE])))


def purge_pictures(sha256s: list[str]) -> None:
    """Delete these pictures from whatever project has them."""
    for start in range(0, len(sha256s), SLICE):
        part = any_of(sha256s[start : start + SLICE])
        samples = Sample.objects.filter(image__sha256__in=part)
        for project in Project.objects.filter(pk__in=samples.values("project")):
            purge_chosen(project, list(samples.filter(project=project).values_list("pk", flat=True)))
        Image.objects.filter(sha256__in=part, samples=None).delete()


def _slices(samples: QuerySet[Sample]) -> Iterator[list[int]]:
    """Yield the ids of the first of these samples until there are none: each slice is to be deleted."""
    while ids := list(samples.values_list("pk", flat=True)[:SLICE]):
        yield ids


def _deleted(project: Project) -> QuerySet[Sample]:
    return Sample.objects.filter(project=project, deleted_at__isnull=False).order_by("pk")


def _purge(project: Project, samples: QuerySet[Sample]) -> None:
    """Purge samples in one transaction of a size that lets others write in between."""
    with transaction.atomic():
        # Nobody restores them meanwhile. Whoever brings pictures in, and holds some of these, need not wait.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        image_ids = list(samples.values_list("image_id", flat=True))
        samples.delete()
        # Whoever is making samples of them has them too, until those are there to be seen.
        held = Image.objects.select_for_update().filter(pk__in=image_ids).order_by("sha256")
        unused = list(Image.objects.filter(pk__in=[image.pk for image in held], samples=None))
        note_purged(unused)
        Image.objects.filter(pk__in=[image.pk for image in unused]).delete()
    delete_purged_files([image.sha256 for image in unused])
