"""Erasing pictures at once and for good, as somebody who is shown in them may ask for."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.contrib.auth.models import User
from django.db.models import QuerySet

from classifier.models import DatasetVersion, Export, ModelVersion, Project, Sample, UploadItem
from classifier.prepared import any_of
from classifier.selectors import list_projects
from classifier.services.audit_log import record
from classifier.services.contributions import refuse
from classifier.services.datasets import DatasetCorrupt, load_dataset
from classifier.services.project_files.offering import forget_project_files
from classifier.services.purging import delete_export
from classifier.services.samples import purge_chosen

log = structlog.get_logger(__name__)

AT_ONCE = 10_000


@dataclass(frozen=True)
class Erased:
    """What became of pictures that were to be erased.

    Attributes:
        pictures: how many are no longer in the project.
        elsewhere: how many of them other projects have too, of those that whoever erases can see; they keep them.
        dataset_versions: numbers of those that had some of them; what they list says that it is gone.
        model_versions: numbers of those trained with some of them; they stay usable.
        exports: how many exports of these versions have been deleted.
    """

    pictures: int
    elsewhere: int
    dataset_versions: list[int]
    model_versions: list[int]
    exports: int


def erase_samples(project: Project, samples: QuerySet[Sample], *, by: User) -> Erased:
    """Delete samples with their pictures, embeddings, thumbnails, history and lines in reports of uploads.

    Exports of the versions that were trained with some of them go too, and files that were written of the project.
    Nothing of it can be brought back. Versions stay, with what they have learnt: the exemplars of their detector are
    features of single training pictures, from which no picture can be made, but somebody who has one can find out
    whether it was among them.
    """
    chosen = list(samples.values_list("pk", "image_id", "image__sha256", "upload", "file_name"))
    digests = sorted({sha256 for _, _, sha256, _, _ in chosen})
    datasets = [version for version in project.dataset_versions.all() if _holds(version, set(digests))]
    _delete_report_lines(project, chosen)
    refuse(project, list(project.contributions.filter(sha256__in=any_of(digests)).values_list("pk", flat=True)))
    purge_chosen(project, [pk for pk, *_ in chosen])
    forget_project_files(project)
    trained = ModelVersion.objects.filter(dataset_version__in=datasets).order_by("number")
    copies = list(Export.objects.filter(model_version__in=trained).select_related("job"))
    for export in copies:
        delete_export(export)
    record("pictures.erased", project, by=by, pictures=len(chosen))
    log.info("pictures_erased", project=project.pk, by=by.pk, pictures=len(chosen))
    seen = Sample.objects.filter(project__in=list_projects(by), image__sha256__in=any_of(digests))
    return Erased(
        len(chosen),
        seen.values("image").distinct().count(),
        sorted(version.number for version in datasets),
        list(trained.values_list("number", flat=True)),
        len(copies),
    )


def _delete_report_lines(project: Project, chosen: Sequence[tuple[int, int, str, int | None, str]]) -> None:
    """Delete what reports of uploads say of pictures, also of those that came again under other names."""
    items, pictures = UploadItem.objects.filter(upload__project=project), sorted({image for _, image, *_ in chosen})
    for start in range(0, len(pictures), AT_ONCE):
        items.filter(picture__in=any_of(pictures[start : start + AT_ONCE])).delete()
    for upload in {upload for *_, upload, _ in chosen if upload}:  # older reports do not tell the picture
        names = sorted({name for *_, came_with, name in chosen if came_with == upload})
        items.filter(upload=upload, file_name__in=any_of(names)).delete()


def describe_erased(erased: Erased) -> str:
    """Say to a person what was erased, and what stays."""
    said = [f"{erased.pictures:,} picture{' has' if erased.pictures == 1 else 's have'} been erased."]
    if erased.elsewhere:
        said.append(f"Other projects of yours have {erased.elsewhere:,} of them too, and keep them.")
    if erased.model_versions:
        numbers = ", ".join(map(str, erased.model_versions))
        said.append(f"Trained with some of them, and still usable: version {numbers}.")
    if erased.exports:
        said.append(f"{erased.exports:,} export{' was' if erased.exports == 1 else 's were'} deleted, too.")
    return " ".join(said)


def _holds(version: DatasetVersion, digests: set[str]) -> bool:
    try:
        return any(row[0] in digests for row in load_dataset(version).rows)
    except (OSError, DatasetCorrupt):  # damaged: `check_files` tells of it
        return False
