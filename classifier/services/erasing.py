"""Erasing pictures at once and for good, as somebody who is shown in them may ask for."""

from dataclasses import dataclass

import structlog
from django.contrib.auth.models import User
from django.db.models import QuerySet

from classifier.models import DatasetVersion, Image, ModelVersion, Project, Sample, UploadItem
from classifier.prepared import any_of
from classifier.services.audit_log import record
from classifier.services.contributions import refuse
from classifier.services.datasets import DatasetCorrupt, load_dataset
from classifier.services.samples import purge_chosen

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Erased:
    """What became of pictures that were to be erased.

    Attributes:
        pictures: how many are no longer in the project.
        elsewhere: how many of them other projects have too, which keep them.
        dataset_versions: numbers of those that had some of them; what they list says that it is gone.
        model_versions: numbers of those trained with some of them; they stay usable.
    """

    pictures: int
    elsewhere: int
    dataset_versions: list[int]
    model_versions: list[int]


def erase_samples(project: Project, samples: QuerySet[Sample], *, by: User) -> Erased:
    """Delete samples with their pictures, embeddings, thumbnails, history and lines in reports of uploads.

    Nothing of it can be brought back. Models keep what they have learnt, in which no picture can be found again.
    """
    chosen = list(samples.values_list("pk", "image__sha256", "upload", "file_name"))
    digests = {sha256 for _, sha256, _, _ in chosen}
    datasets = [version for version in project.dataset_versions.all() if _holds(version, digests)]
    for upload in {upload for _, _, upload, _ in chosen if upload}:
        names = sorted({name for _, _, came_with, name in chosen if came_with == upload})
        UploadItem.objects.filter(upload=upload, file_name__in=any_of(names)).delete()
    refuse(project, list(project.contributions.filter(sha256__in=any_of(sorted(digests))).values_list("pk", flat=True)))
    purge_chosen(project, [pk for pk, *_ in chosen])
    trained = ModelVersion.objects.filter(dataset_version__in=datasets).order_by("number")
    record("pictures.erased", project, by=by, pictures=len(chosen))
    log.info("pictures_erased", project=project.pk, by=by.pk, pictures=len(chosen))
    return Erased(
        len(chosen),
        Image.objects.filter(sha256__in=any_of(sorted(digests))).count(),
        sorted(version.number for version in datasets),
        list(trained.values_list("number", flat=True)),
    )


def describe_erased(erased: Erased) -> str:
    """Say to a person what was erased, and what stays."""
    said = [f"{erased.pictures:,} picture{' has' if erased.pictures == 1 else 's have'} been erased."]
    if erased.elsewhere:
        said.append(f"Other projects have {erased.elsewhere:,} of them too, and keep them.")
    if erased.model_versions:
        numbers = ", ".join(map(str, erased.model_versions))
        said.append(f"Trained with some of them, and still usable: version {numbers}.")
    return " ".join(said)


def _holds(version: DatasetVersion, digests: set[str]) -> bool:
    try:
        return any(row[0] in digests for row in load_dataset(version).rows)
    except (OSError, DatasetCorrupt):  # damaged: `check_files` tells of it
        return False
