"""dataset version -> samples: the project's pictures as a version had them, in one act that can be undone."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from classifier.models import Change, DatasetVersion, ImageClass, Project, Sample
from classifier.selectors import list_classes
from classifier.services.changes import change_samples, now_as_text
from classifier.services.datasets import load_dataset
from classifier.services.live_classes import Fields, free_name


@transaction.atomic
def restore_version(version: DatasetVersion, *, by: User | None) -> tuple[Change, int]:
    """Make the samples those of the version, and return the act and how many pictures were deleted for good since.

    Its samples come back from the trash, with class, split and group as they were. All others with a class go to the
    trash; those without a class were in no version, and stay. Raise DatasetCorrupt, OSError.
    """
    project = Project.objects.select_for_update().get(pk=version.project_id)
    wanted = _wanted_fields(version)
    known = dict(Sample.objects.filter(project=project).order_by().values_list("pk", "image__sha256"))
    classes, now = _wanted_classes(project, version), now_as_text()

    def put_back(sample: Fields) -> Fields:
        if (fields := wanted.get(known.get(sample["pk"], ""))) is not None:
            return fields
        return {"deleted_at": sample["deleted_at"] or now} if sample["image_class_id"] is not None else {}

    act = change_samples(
        Sample.objects.all(),
        Change.Kind.RESTORE_DATASET,
        put_back,
        project=project,
        by=by,
        details={"number": version.number},
        classes=classes,
    )
    return act, len(wanted.keys() - known.values())


def count_purged(version: DatasetVersion) -> int:
    """Count the pictures of a version that were deleted for good. Raise DatasetCorrupt, OSError."""
    there = Sample.objects.filter(project=version.project_id).order_by().values_list("image__sha256", flat=True)
    return len(set(load_dataset(version).sha256s()) - set(there.iterator(chunk_size=5000)))


def _wanted_fields(version: DatasetVersion) -> dict[str, Fields]:
    """Return the fields of each sample of the version by its sha256."""
    dataset = load_dataset(version)
    return {
        sha256: {
            "image_class_id": dataset.classes[place][0],
            "split": split,
            "group": dataset.groups.get(sha256, ""),
            "deleted_at": None,
        }
        for sha256, place, split in dataset.rows
    }


def _wanted_classes(project: Project, version: DatasetVersion) -> dict[int, Fields]:
    """Return what it takes for the version's classes to be there and in trainings, under a name that is free."""
    _ensure_rows(project, version)
    taken = set(list_classes(project).values_list("name", flat=True))
    wanted: dict[int, Fields] = {}
    for row in ImageClass.objects.filter(project=project, pk__in=[pk for pk, _ in version.classes]).order_by("pk"):
        wanted[row.pk] = {"in_training": True}
        if row.deleted_at is not None:
            name = free_name(row.name, taken)
            taken.add(name)
            wanted[row.pk] |= {"deleted_at": None, "merged_into_id": None, "name": name}
    return wanted


def _ensure_rows(project: Project, version: DatasetVersion) -> None:
    """Write the rows of classes again that were deleted with their rows, as deleted ones, under their old ids."""
    known = set(ImageClass.objects.filter(project=project).values_list("pk", flat=True))
    missing: list[Any] = [(pk, name) for pk, name in version.classes if pk not in known]
    at = version.created_at
    ImageClass.objects.bulk_create(ImageClass(pk=pk, project=project, name=n, deleted_at=at) for pk, n in missing)
