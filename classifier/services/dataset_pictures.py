"""samples, or a dataset version -> its pictures with all that is known of them, a page at a time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from classifier.models import DatasetVersion, Sample
from classifier.selectors import dataset_class_names
from classifier.services.datasets import load_dataset

PAGE = 500  # no query, and no transaction, lasts as long as whoever takes the pictures
_FIELDS = (
    *("image_id", "image__sha256", "image__format", "image__width", "image__height", "image__size"),
    *("image__damaged_at", "image_class__name", "split", "group", "file_name"),
    *("created_by__username", "created_at"),
)


class Picture(NamedTuple):
    """A picture as it is, or was, in a project. `label` is None where it has no class."""

    image_id: int
    sha256: str
    format: str
    width: int
    height: int
    size: int  # bytes
    damaged_at: datetime | None
    label: str | None
    split: str
    group: str
    file_name: str
    uploaded_by: str | None
    uploaded_at: datetime


def list_pictures(samples: QuerySet[Sample]) -> Iterator[Picture]:
    """Yield the pictures of samples, the oldest first, each once whatever is changed meanwhile."""
    samples, last = samples.order_by("pk"), 0
    while rows := list(samples.filter(pk__gt=last).values_list("pk", *_FIELDS)[:PAGE]):
        last = rows[-1][0]
        yield from (Picture(*row[1:]) for row in rows)


def list_pictures_of_version(version: DatasetVersion) -> Iterator[Picture | str]:
    """Yield the pictures with class, split and group as they were; the sha256 of each that was deleted for good.

    Raise DatasetCorrupt, OSError.
    """
    dataset, names = load_dataset(version), dataset_class_names(version)
    for start in range(0, len(dataset.rows), PAGE):
        part = dataset.rows[start : start + PAGE]
        known = _find(version, [sha256 for sha256, _, _ in part])
        for sha256, place, split in part:
            group = dataset.groups.get(sha256, "")
            there = known.get(sha256)
            yield there._replace(label=names[place], split=split, group=group) if there else sha256


def _find(version: DatasetVersion, sha256s: list[str]) -> dict[str, Picture]:
    """Find samples of the version's project, with those in the trash. What only others have is not shown."""
    found: Any = Sample.objects.filter(project=version.project_id, image__sha256__in=sha256s).order_by()
    return {picture.sha256: picture for picture in (Picture(*row) for row in found.values_list(*_FIELDS))}
