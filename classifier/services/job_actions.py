"""What people do with jobs: end them, try them again, take their settings, delete them."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import transaction

from classifier.jobs import lifecycle
from classifier.jobs.kinds import AUDIT, COMPARE_BACKBONES, EXPORT, TRAIN
from classifier.jobs.state import JobState, read_state
from classifier.jobs.wishes import ask_to_stop
from classifier.models import Export, Job
from classifier.services.audits import request_audit
from classifier.services.backbone_comparisons import request_comparison
from classifier.services.event_files import event_files_path
from classifier.services.exports import request_export
from classifier.services.project_files.offering import project_file_path
from classifier.services.training import request_training
from ml.errors import Conflict
from ml.training.config import parse_config


class NotRepeatable(Conflict):
    """The message says why the job cannot be tried again."""


class AlreadyEnded(Conflict):
    """The job has ended, so that nothing is left to cancel."""

    def __init__(self) -> None:
        super().__init__("The job has already ended.")


class CannotStop(Conflict):
    """The job is not at work on something that can be stopped and kept."""

    def __init__(self) -> None:
        super().__init__("Only fine-tuning and gradient descent can be stopped early, and only while they run.")


class StillOpen(Conflict):
    """The job has not ended."""

    def __init__(self) -> None:
        super().__init__("The job has not ended yet. Cancel it first.")


def cancel_job(job: Job) -> None:
    """Cancel a job. Raise AlreadyEnded."""
    if not lifecycle.cancel_job(job):
        raise AlreadyEnded


def stop_job(job: Job) -> None:
    """Let a job end its stage now with the best it has reached. Raise CannotStop."""
    if not ask_to_stop(job):
        raise CannotStop


def _train_again(job: Job, by: User) -> Job:
    config = parse_config(job.config)
    return request_training(job.own_project, config, by=by, promote=read_state(job).promote, force=True)


def _export_again(job: Job, by: User) -> Job:
    export = Export.objects.select_related("model_version__project").filter(pk=job.config["export"]).first()
    if export is None:
        raise NotRepeatable("The version of this export is no longer there.")
    return request_export(export.model_version, export.format, by=by)


def _compare_again(job: Job, by: User) -> Job:
    return request_comparison(job.own_project, by=by)


def _audit_again(job: Job, by: User) -> Job:
    return request_audit(job.own_project, by=by)


_AGAIN: dict[str, Callable[[Job, User], Job]] = {
    TRAIN.name: _train_again,
    EXPORT.name: _export_again,
    AUDIT.name: _audit_again,
    COMPARE_BACKBONES.name: _compare_again,
}


def can_retry(job: Job) -> bool:
    """Return whether the job ended without success and is of a kind that can be tried again as it was."""
    return job.kind in _AGAIN and job.status in (Job.Status.FAILED, Job.Status.CANCELLED)


def retry_job(job: Job, *, by: User) -> Job:
    """Queue a job again with the same settings, and return the new one.

    Raise NotRepeatable, StillOpen, and what the request of such a job raises: that a training is running, for example.
    """
    if job.is_open:
        raise StillOpen
    if job.status == Job.Status.SUCCEEDED:
        raise NotRepeatable("The job has succeeded, so there is nothing to try again.")
    if job.kind not in _AGAIN:
        raise NotRepeatable("What this job was given is no longer there. Send it again instead.")
    return _AGAIN[job.kind](job, by)


def settings_query(job: Job) -> str:
    """Return the settings of a training as the query of the form that has them filled in; empty for other jobs."""
    if job.kind != TRAIN.name or not job.config:
        return ""
    return urlencode({name: "" if value is False else value for name, value in job.config.items()})


def delete_job(job: Job) -> None:
    """Delete a job that has ended, with its log and its files; what it made stays.

    Raise StillOpen, and Job.DoesNotExist if somebody else has deleted it.
    """
    with transaction.atomic():
        kept = Job.objects.select_for_update().get(pk=job.pk)
        if kept.is_open:
            raise StillOpen
        state = read_state(kept)
        kept.delete()
        for path in _files_of(kept, state):
            transaction.on_commit(lambda path=path: default_storage.delete(path))  # type: ignore[misc]


def _files_of(job: Job, state: JobState) -> list[str]:
    """List the files that only this job knew, which nothing would find once its row is gone."""
    found = []
    stored = state.event_files
    if stored and not Job.objects.filter(state__event_files__sha256=stored.sha256).exists():
        found.append(event_files_path(stored.sha256))
    if state.checkpoint and not Job.objects.filter(state__checkpoint=state.checkpoint).exists():
        found.append(state.checkpoint)
    if state.project_file:
        found.append(project_file_path(state.project_file.sha256))
    if job.config.get("archive") and not state.archive_deleted:
        found.append(job.config["archive"])
    return found
