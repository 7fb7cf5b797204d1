"""model version -> export: files for elsewhere, each with a certificate that it answers as the site does."""

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from classifier.jobs.kinds import EXPORT
from classifier.jobs.lifecycle import finish_job
from classifier.jobs.results import ExportResult
from classifier.jobs.sending import queue_job
from classifier.jobs.state import JobState
from classifier.models import Export, Image, Job, ModelVersion, Project
from classifier.selectors import class_names
from classifier.services.custom_backbones import find_spec
from classifier.services.embeddings import SLICE
from classifier.storage import store_once
from ml.backbones.spec import LITE, BackboneSpec
from ml.errors import Conflict, Refused
from ml.exports.registry import FORMATS, ExportFormat
from ml.training.artifacts import Evaluation


class UnknownFormat(Refused):
    """The message names those there are."""


class FormatUnavailable(Conflict):
    """The version cannot have this format here; the message says why, and how to get it where one can."""


def request_export(version: ModelVersion, format: str, *, by: User | None) -> Job:
    """Return the job that makes the export: a new one, the running one, or the one that has made it already.

    What was made is made again if classes have been renamed since; until then the old file stays.

    Raise UnknownFormat, FormatUnavailable.
    """
    if format not in FORMATS:
        raise UnknownFormat(f"There is no export format {format[:100]!r}. Choose one of: {', '.join(FORMATS)}.")
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=version.project_id)  # two clicks at once are one export
        export, _ = Export.objects.get_or_create(model_version=version, format=format)
        if export.job and (
            export.job.is_open or (export.sha256 and not has_old_names(export, version, class_names(version)))
        ):
            return export.job
        if reason := unavailable_reason(find_spec(version.backbone), FORMATS[format]):
            raise FormatUnavailable(reason)
        config = {"export": export.pk, "format": format, "backbone": version.backbone}
        state = JobState(expected={"check": version.metrics.get("test_n") or 0})
        export.job = queue_job(EXPORT, project=version.project, by=by, config=config, state=state)
        export.save(update_fields=["job"])
        return export.job


def has_old_names(export: Export, version: ModelVersion, names: list[str]) -> bool:
    """Return whether a class has been renamed since the export was made, so that its files say something else.

    `names` are those of the version's classes as they are today. Exports that are older than this question are taken to
    have the names that the classes had in training.
    """
    made_with = export.labels or [name for _, name in version.dataset_version.classes]
    return bool(export.sha256) and made_with != names


def unavailable_reason(custom: BackboneSpec | None, format: ExportFormat) -> str:
    """Return why a version with this custom backbone, or none, cannot have the format; "" if it can."""
    if custom is not None and custom.file == LITE:
        return "Its network was added as a .tflite file, which cannot be converted to other formats. Use that file."
    if custom is not None and format.needs_layers:
        return "Its network was added without its layers, so it cannot be saved as a Keras model."
    return format.unavailable_reason


def publish_export(job: Job, export: Export, files: Path, certificate: dict[str, Any], *, labels: list[str]) -> None:
    """Store the archive, then save the row and end the job in one transaction. `labels` are the names in the files."""
    data = pack_files(files, folder=f"{job.own_project.slug}-v{export.model_version.number}-{export.format}")
    export.sha256, export.size, export.certificate = hashlib.sha256(data).hexdigest(), len(data), certificate
    export.labels = labels
    store_once(export.path, data)
    with transaction.atomic():
        export.save(update_fields=["sha256", "size", "certificate", "labels"])
        finish_job(job, ExportResult(export=export.format))


def record_refusal(export: Export, certificate: dict[str, Any]) -> None:
    """Keep what was measured of a file that may not be used; the file itself is not kept."""
    export.certificate = certificate
    export.save(update_fields=["certificate"])


def pack_files(files: Path, *, folder: str) -> bytes:
    """Pack all files under `files` into a zip, in a folder of that name. The same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in files.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(f"{folder}/{path.relative_to(files).as_posix()}")
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def open_export(export: Export) -> "File[bytes]":
    """Open the archive. Raise OSError if the storage has lost it."""
    return default_storage.open(export.path)


def keep_what_is_there(evaluation: Evaluation) -> Evaluation:
    """Return the evaluation without test pictures that have been deleted permanently."""
    known = set(keep_existing(evaluation.sha256s))
    rows = [row for row, sha256 in enumerate(evaluation.sha256s) if sha256 in known]
    return replace(
        evaluation,
        sha256s=[evaluation.sha256s[row] for row in rows],
        labels=evaluation.labels[rows],
        probabilities=evaluation.probabilities[rows],
        likeness=None if evaluation.likeness is None else evaluation.likeness[rows],
    )


def keep_existing(sha256s: list[str]) -> list[str]:
    """List those whose picture has not been deleted permanently, in their order."""
    known: set[str] = set()
    for start in range(0, len(sha256s), SLICE):
        part = sha256s[start : start + SLICE]
        known.update(Image.objects.filter(sha256__in=part).values_list("sha256", flat=True))
    return [sha256 for sha256 in sha256s if sha256 in known]
