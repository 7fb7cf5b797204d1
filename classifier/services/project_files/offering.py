"""A project's file for its owner to download: a job writes it, and it is there for some days."""

from datetime import timedelta
from pathlib import Path

from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from classifier.disk import check_room
from classifier.jobs.kinds import PROJECT_FILE
from classifier.jobs.lifecycle import beat
from classifier.jobs.reporting import update_state
from classifier.jobs.sending import queue_job
from classifier.jobs.state import StoredFile, read_state, update_ended_state
from classifier.models import Job, Project
from classifier.services.portable.checks import hash_file

PROJECT_FILES = "project-files/"
KEPT_DAYS = 7
AT_ONCE = 100  # in one round of the reaper


def request_project_file(project: Project, *, by: User) -> Job:
    """Queue the job that writes the file, or return the one that does. Raise DiskFull, TooManyJobs."""
    check_room(2 * count_pictures(project)[1])
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # two clicks at once are one file
        running = project.jobs.filter(kind=PROJECT_FILE.name, status__in=Job.OPEN).first()
        return running or queue_job(PROJECT_FILE, project=project, by=by)


def count_pictures(project: Project) -> tuple[int, int]:
    """Return how many pictures the file is going to have, and how many bytes of them."""
    found = project.samples.filter(deleted_at=None).aggregate(pictures=Count("pk"), size=Sum("image__size"))
    return found["pictures"], found["size"] or 0


class _Finished(File):  # type: ignore[type-arg] # it has no types at run time
    """A finished file, which a storage on the same disk takes over instead of copying it."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def store_project_file(job: Job, path: Path) -> None:
    """Store the file, then the row, and delete earlier ones of the project. Raise LeaseLost."""
    sha256, size = hash_file(path), path.stat().st_size
    beat(job)
    with path.open("rb") as file:
        default_storage.save(project_file_path(sha256), _Finished(file, name=str(path)))
    update_state(job, project_file=StoredFile(sha256=sha256, size=size))
    for earlier in _list_stored().filter(project=job.project_id).exclude(pk=job.pk):
        _forget(earlier)


def open_project_file(job: Job) -> "File[bytes]":
    """Open the file. Raise OSError if there is none any more."""
    stored = read_state(job).project_file
    if stored is None:
        raise FileNotFoundError
    return default_storage.open(project_file_path(stored.sha256))


def delete_old_project_files() -> None:
    """Delete the files that have been there for their days. For the reaper."""
    until = timezone.now() - timedelta(days=KEPT_DAYS)
    for job in _list_stored().filter(finished_at__lt=until)[:AT_ONCE]:
        _forget(job)


def forget_project_files(project: Project) -> None:
    """Delete the files that were written of a project, as it is no longer what they hold."""
    for job in _list_stored().filter(project=project):
        _forget(job)


def project_file_path(sha256: str) -> str:
    """Return where a project's file is in the default storage."""
    return f"{PROJECT_FILES}{sha256}.zip"


def _list_stored() -> "QuerySet[Job]":
    return Job.objects.filter(state__has_key="project_file").exclude(status__in=Job.OPEN)


def _forget(job: Job) -> None:
    stored = read_state(job).project_file
    update_ended_state(job, project_file=None)
    if stored is not None:
        default_storage.delete(project_file_path(stored.sha256))
