"""samples -> dataset version: frozen, digested, idempotent."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery

from classifier.models import DatasetVersion, Project, Sample
from classifier.selectors import list_damaged_samples
from classifier.services.images import read_file
from classifier.services.projects import ensure_classes
from classifier.storage import store_once
from ml.datasets.dataset import Dataset
from ml.datasets.splits import SPLITS, SplitSample, assign_splits
from ml.errors import Unavailable

_SHA256 = re.compile(r"[0-9a-f]{64}")
DEFAULT_PERCENTAGE = 10  # of validation and of test, where nobody said another

Row = tuple[Any, ...]  # (sha256, class id, split), and the group if there is one


class DatasetCorrupt(Unavailable):
    """The frozen list is not what its digest says."""


@transaction.atomic
def freeze_dataset_version(
    project: Project, *, validation_percentage: int, testing_percentage: int, by: User | None
) -> DatasetVersion:
    """Freeze the project's samples as they are now. Return the existing version if the content is the same."""
    # Two trainings of one project must not decide splits at the same time.
    Project.objects.select_for_update().get(pk=project.pk)
    decide_splits(project, validation_percentage=validation_percentage, testing_percentage=testing_percentage)
    rows = _rows(project)
    present = {class_id for _, class_id, *_ in rows}
    classes = [[pk, name] for pk, name in project.classes.order_by("pk").values_list("pk", "name") if pk in present]
    return _keep_version(project, classes, rows, by=by)


def preview_dataset_version(
    project: Project, *, validation_percentage: int, testing_percentage: int
) -> tuple[DatasetVersion, Dataset]:
    """Return what freezing the project's samples now would give; nothing is decided and nothing written.

    The version is not saved. Its digest is the one that `freeze_dataset_version` would find.
    """
    fields = ("image__sha256", "image_class", "split", "split_is_given", "group")
    samples = [SplitSample(*row) for row in list_usable_samples(project).order_by().values_list(*fields)]
    changes = assign_splits(samples, validation_percentage=validation_percentage, testing_percentage=testing_percentage)
    rows = sorted(
        (one.sha256, one.class_id, changes.get(one.sha256, one.split), *((one.group,) if one.group else ()))
        for one in samples
    )
    present = {one.class_id for one in samples}
    classes = [[pk, name] for pk, name in project.classes.order_by("pk").values_list("pk", "name") if pk in present]
    content = _dump(classes, rows)
    digest = hashlib.sha256(content).hexdigest()
    existing = DatasetVersion.objects.filter(project=project, digest=digest).first()
    version = existing or DatasetVersion(project=project, digest=digest, classes=classes)
    if existing is None:
        given = Counter(one.split for one in samples if one.is_given and one.sha256 not in changes)
        version.counts, version.given = _counts(classes, rows), dict(given)
    return version, _parse(version, content)


@transaction.atomic
def freeze_for_import(project: Project, labels: list[str], *, by: User | None) -> DatasetVersion:
    """Freeze the samples of the classes of an imported classifier, in the order of its outputs.

    There may be no samples. Classes that the project lacks are created.
    """
    Project.objects.select_for_update().get(pk=project.pk)
    decide_splits(project, validation_percentage=DEFAULT_PERCENTAGE, testing_percentage=DEFAULT_PERCENTAGE)
    found = ensure_classes(project, labels)
    classes = [[found[label].pk, label] for label in labels]
    present = {pk for pk, _ in classes}
    return _keep_version(project, classes, [row for row in _rows(project) if row[1] in present], by=by)


def _keep_version(project: Project, classes: list[list[Any]], rows: list[Row], *, by: User | None) -> DatasetVersion:
    content = _dump(classes, rows)
    digest = hashlib.sha256(content).hexdigest()
    existing = DatasetVersion.objects.filter(project=project, digest=digest).first()
    if existing:
        store_once(existing.path, content)  # the row is no proof that its file is whole
        return existing
    version = DatasetVersion(project=project, digest=digest, classes=classes, created_by=by)
    store_once(version.path, content)
    version.counts = _counts(classes, rows)
    version.given = _count_given(project, {pk for pk, _ in classes})
    version.number = (DatasetVersion.objects.filter(project=project).aggregate(n=Max("number"))["n"] or 0) + 1
    version.save()
    return version


def _dump(classes: list[list[Any]], rows: list[Row]) -> bytes:
    # Names are not part of the digest: a renamed class is the same class, and nothing needs training again.
    return json.dumps({"classes": [pk for pk, _ in classes], "rows": rows}, separators=(",", ":")).encode()


def renumber_dataset(content: bytes, ids: Mapping[int, int]) -> tuple[bytes, dict[str, list[int]]]:
    """Return the file of a dataset version with other ids of its classes, and its pictures per class of each split.

    Raise DatasetCorrupt for what is no such file, KeyError for a class that has no new id.
    """
    try:
        frozen = json.loads(content)
        classes = [[ids[pk], ""] for pk in frozen["classes"]]
        rows = [(str(sha256), ids[pk], *rest) for sha256, pk, *rest in frozen["rows"]]
    except (ValueError, TypeError, RecursionError) as error:
        raise DatasetCorrupt("The file is not that of a dataset version.") from error
    if not all(_SHA256.fullmatch(row[0]) and len(row) in (3, 4) and row[2] in SPLITS for row in rows):
        raise DatasetCorrupt("The file is not that of a dataset version.")
    return _dump(classes, rows), _counts(classes, rows)


def restore_dataset(version: DatasetVersion) -> bool:
    """Write the version's file again from the project's samples; return False if they have changed since."""
    present = {pk for pk, _ in version.classes}
    content = _dump(version.classes, [row for row in _rows(version.project) if row[1] in present])
    if hashlib.sha256(content).hexdigest() != version.digest:
        return False
    store_once(version.path, content)
    return True


def has_damaged_pictures(version: DatasetVersion) -> bool:
    """Return whether a picture of the version is missing or damaged. Raise DatasetCorrupt, OSError."""
    damaged = list_damaged_samples(version.project).values_list("image__sha256", flat=True)
    return bool(damaged) and not set(damaged).isdisjoint(load_dataset(version).sha256s())


def decide_splits(project: Project, *, validation_percentage: int, testing_percentage: int) -> None:
    """Give every sample without a split its split, for ever (see ml.datasets.splits for the rule)."""
    kept = list_usable_samples(project)
    rows = kept.order_by().values_list("image__sha256", "image_class", "split", "split_is_given", "group")
    samples = [SplitSample(*row) for row in rows]
    changes = assign_splits(samples, validation_percentage=validation_percentage, testing_percentage=testing_percentage)
    for split in SPLITS:
        digests = [sha256 for sha256, new in changes.items() if new == split]
        for start in range(0, len(digests), 5000):
            part = digests[start : start + 5000]
            Sample.objects.filter(project=project, image__sha256__in=part).update(split=split, split_is_given=False)


def list_usable_samples(project: Project) -> QuerySet[Sample]:
    """List the samples that a training can use: those of classes for training whose picture can be read."""
    kept = Sample.objects.filter(project=project, deleted_at=None, image__damaged_at=None)
    return kept.filter(image_class__deleted_at=None, image_class__in_training=True)


def list_usable(project: Project) -> list[str]:
    """List the sha256s of the pictures that a training can use."""
    return list(list_usable_samples(project).order_by("pk").values_list("image__sha256", flat=True))


def list_labelled(project: Project) -> list[tuple[str, int, str]]:
    """List (sha256, class id, group) of those, by sha256; the group of one that is in none is its own."""
    rows = list_usable_samples(project).order_by().values_list("image__sha256", "image_class", "group")
    return sorted((sha256, class_id, group or sha256) for sha256, class_id, group in rows)


def can_hold_out(project: Project) -> bool:
    """Return whether there are two classes or more, and each has pictures that do not all show the same thing.

    For each class the database looks at its first pictures, so that this takes no longer with very many of them.
    """
    own = list_usable_samples(project).filter(image_class=OuterRef("pk")).order_by("pk")
    first, group = Subquery(own.values("pk")[:1]), Subquery(own.values("group")[:1])
    other = own.filter(pk__gt=OuterRef("first")).filter(Q(group="") | ~Q(group=OuterRef("first_group")))
    classes = project.classes.annotate(first=first, first_group=group).exclude(first=None)
    several = list(classes.annotate(several=Exists(other)).values_list("several", flat=True))
    return len(several) > 1 and all(several)


def _rows(project: Project) -> list[Row]:
    """List (sha256, class id, split), by sha256, with the group of those that are in one."""
    rows = list_usable_samples(project).order_by().values_list("image__sha256", "image_class", "split", "group")
    return sorted(row if row[-1] else row[:-1] for row in rows)


def _counts(classes: list[list[Any]], rows: list[Row]) -> dict[str, list[int]]:
    counted = Counter((split, class_id) for _, class_id, split, *_ in rows)
    return {split: [counted[split, pk] for pk, _ in classes] for split in SPLITS}


def _count_given(project: Project, classes: set[int]) -> dict[str, int]:
    """Count the pictures of each split that were given it by folders, tables or by hand."""
    given = list_usable_samples(project).filter(split_is_given=True, image_class__in=classes)
    return dict(given.order_by().values_list("split").annotate(Count("id")))


def load_dataset(version: DatasetVersion) -> Dataset:
    """Return the frozen list as plain data. Raise DatasetCorrupt, OSError."""
    content = read_file(version.path)
    if hashlib.sha256(content).hexdigest() != version.digest:
        raise DatasetCorrupt(f"The file of {version} was changed after it was written.")
    return _parse(version, content)


def _parse(version: DatasetVersion, content: bytes) -> Dataset:
    frozen = json.loads(content)
    index = {pk: place for place, pk in enumerate(frozen["classes"])}
    rows = [(sha256, index[class_id], split) for sha256, class_id, split, *_ in frozen["rows"]]
    groups = {sha256: group[0] for sha256, _, _, *group in frozen["rows"] if group}
    return Dataset(version.digest, [(pk, name) for pk, name in version.classes], rows, groups)
