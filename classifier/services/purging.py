"""Deleting for good: what is in the trash for long enough, or what somebody cannot wait for.

Rows go first and files after them: a file that nobody names is harmless, and `check_files` finds it. Bytes that others
have too, pictures above all, stay as long as anybody has them.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Case, Model, QuerySet, When
from django.utils import timezone

from classifier.jobs.kinds import DELETE
from classifier.jobs.lifecycle import cancel_job
from classifier.jobs.sending import queue_job
from classifier.jobs.state import read_state
from classifier.models import (
    Alias,
    Audit,
    CustomBackbone,
    DatasetVersion,
    Export,
    Job,
    ModelVersion,
    PartialUpload,
    Project,
    Sample,
    Upload,
    UploadItem,
)
from classifier.models.custom_backbone import backbone_file_path
from classifier.services.artifacts import list_artifact_paths
from classifier.services.audit_log import record
from classifier.services.candidate_files import list_paths
from classifier.services.event_files import event_files_path
from classifier.services.job_actions import StillOpen
from classifier.services.project_files.offering import project_file_path
from classifier.services.resumable import discard
from classifier.services.samples import purge_every_sample
from classifier.services.trash import list_purges, own_networks
from ml.errors import Conflict

log = structlog.get_logger(__name__)

ROWS_AT_ONCE = 5000
TRIED_AGAIN = timedelta(hours=6)  # after a job that failed or was cancelled
VERSIONS_AT_ONCE = 50  # in one round of the reaper


class NotInTrash(Conflict):
    """Only what is in the trash is deleted for good."""

    def __init__(self) -> None:
        super().__init__("This is not in the trash.")


def request_purge(project: Project, *, by: User | None) -> Job:
    """Queue the job that deletes a project in the trash for good, or return the one that does. Raise NotInTrash."""
    with transaction.atomic():
        kept = Project.objects.select_for_update().filter(pk=project.pk).exclude(deleted_at=None).first()
        if kept is None:
            raise NotInTrash
        known = list_purges(kept).filter(status__in=Job.OPEN).first()
        return known or queue_job(DELETE, project=None, by=by, config={"project": kept.pk, "name": kept.name})


def purge_expired() -> None:
    """Delete for good what has been in the trash for its days, or was to go sooner, which failed. For the reaper."""
    until = timezone.now() - timedelta(days=settings.TRASH_DAYS)
    lately = timezone.now() - TRIED_AGAIN
    is_due = Case(When(deleted_at__lt=until, then=True), default=False)
    for project in Project.objects.exclude(deleted_at=None).annotate(is_due=is_due):
        purges = list_purges(project)
        has_failed = purges.filter(status=Job.Status.FAILED).exists()
        if (project.is_due or has_failed) and not purges.filter(finished_at__gt=lately).exists():
            with suppress(NotInTrash):  # restored just now
                request_purge(project, by=None)
    for version in ModelVersion.every.filter(deleted_at__lt=until)[:VERSIONS_AT_ONCE]:
        purge_version(version)


def count_samples(project: int) -> int:
    """Return how many samples a project that is to go has left."""
    return Sample.objects.filter(project=project).count()


def purge_pictures(project: int, told: Callable[[int], None]) -> None:
    """Delete the samples of a project in the trash and the pictures that nobody else has."""
    kept = Project.objects.filter(pk=project).exclude(deleted_at=None).first()
    if kept is not None:
        purge_every_sample(kept, told)


def purge_project(project: int) -> None:
    """Delete what is left of a project in the trash, whose samples are gone. One that was restored stays."""
    kept = Project.objects.filter(pk=project).exclude(deleted_at=None).first()
    if kept is None:
        return
    for partial in PartialUpload.objects.filter(project=kept):
        discard(partial)
    for job in Job.objects.filter(project=kept, parent=None, status__in=Job.OPEN):
        cancel_job(job)
    for version in ModelVersion.every.filter(project=kept):
        purge_version(version)
    _purge_in_slices(UploadItem.objects.filter(upload__project=kept))
    files = _files_of(kept)
    while not _purge_without_pictures(kept):
        purge_every_sample(kept, lambda _: None)  # what a job that is cancelled has still brought in
    delete_unnamed(files)
    log.info("project_purged", project=project)


@transaction.atomic
def _purge_without_pictures(project: Project) -> bool:
    """Delete the rows of a project unless it has pictures; return whether it had none."""
    Project.objects.select_for_update().get(pk=project.pk)  # nobody brings any in meanwhile
    if Sample.objects.filter(project=project).exists():
        return False
    DatasetVersion.objects.filter(project=project).delete()
    project.delete()
    record("project.purged", project, slug=project.slug)
    return True


def purge_version(version: ModelVersion) -> None:
    """Delete a version for good, with its aliases, exports and evaluation. Its dataset version stays.

    One that was found in the trash and restored since stays.
    """
    exports = [(export.path, _exports_with(export.sha256)) for export in version.exports.exclude(sha256="")]
    same = ModelVersion.every.filter(artifact_digest=version.artifact_digest)
    with transaction.atomic():
        restored = ModelVersion.objects.select_for_update().filter(pk=version.pk)  # which are not in the trash
        if version.deleted_at is not None and restored.exists():
            return
        Alias.objects.filter(model_version=version).delete()
        ModelVersion.every.filter(pk=version.pk).delete()
        own_networks(version).update(removed_at=timezone.now())  # the reaper deletes it, with its embeddings
        record("version.purged", version.project, version=version.number)
    delete_unnamed([*exports, *((path, same) for path in list_artifact_paths(version.artifact_digest))])
    log.info("version_purged", project=version.project_id, version=version.number)


def delete_export(export: Export) -> None:
    """Delete an export and its file. It can be made again."""
    with transaction.atomic():
        if export.job is not None and export.job.is_open:
            cancel_job(export.job)
        Export.objects.filter(pk=export.pk).delete()
    if export.sha256:
        delete_unnamed([(export.path, _exports_with(export.sha256))])


def forget_upload(upload: Upload) -> None:
    """Delete the report of an upload that has ended. Its pictures stay. Raise StillOpen."""
    if upload.job is not None and upload.job.is_open:
        raise StillOpen
    _purge_in_slices(UploadItem.objects.filter(upload=upload))
    upload.delete()


def _exports_with(sha256: str) -> "QuerySet[Export]":
    return Export.objects.filter(sha256=sha256)


def _files_of(project: Project) -> list[tuple[str, "QuerySet[Model] | None"]]:
    """List the files of a project, each with the rows that may name it too."""
    found: list[tuple[str, QuerySet[Model] | None]] = []
    for dataset in DatasetVersion.objects.filter(project=project):
        found.append((dataset.path, DatasetVersion.objects.filter(digest=dataset.digest)))
    for audit in Audit.objects.filter(project=project):
        found.append((audit.path, Audit.objects.filter(digest=audit.digest)))
    candidate = getattr(project, "candidate", None)
    if candidate is not None and candidate.artifact_digest:
        found.extend((path, None) for path in list_paths(candidate))
    for custom in CustomBackbone.objects.filter(project=project).exclude(name=""):
        paths = (backbone_file_path(custom.name, file) for file in custom.spec["files"])
        found.extend((path, CustomBackbone.objects.filter(name=custom.name)) for path in paths)
    found.extend((one.path, None) for one in project.contributions.all())
    for job in Job.objects.filter(project=project).exclude(state={}):
        found.extend(_files_of_job(job))
    return found


def _files_of_job(job: Job) -> Iterable[tuple[str, "QuerySet[Model] | None"]]:
    state = read_state(job)
    if state.event_files:
        sha256 = state.event_files.sha256
        yield event_files_path(sha256), Job.objects.filter(state__event_files__sha256=sha256)
    if state.project_file:
        yield project_file_path(state.project_file.sha256), None
    if state.checkpoint:
        yield state.checkpoint, Job.objects.filter(state__checkpoint=state.checkpoint)
    if job.parent_id is None and job.config.get("archive") and not state.archive_deleted:
        yield job.config["archive"], None


def delete_unnamed(files: Iterable[tuple[str, "QuerySet[Model] | None"]]) -> None:
    """Delete files, each with the rows that may name it too, unless there is such a row."""
    for path, rows in files:
        if rows is None or not rows.exists():
            default_storage.delete(path)


def _purge_in_slices(rows: "QuerySet[UploadItem]") -> None:
    while ids := list(rows.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        UploadItem.objects.filter(pk__in=ids).delete()
