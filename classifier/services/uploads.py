"""Take in the files of uploads, at once or by a job that reads an archive or fetches pictures from the web."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import get_random_string

from classifier.disk import check_room
from classifier.jobs.kinds import INGEST
from classifier.jobs.lifecycle import AlreadyAnswered, answer_job
from classifier.jobs.sending import queue_job
from classifier.jobs.state import read_state, update_ended_state
from classifier.models import Job, Project, Upload
from classifier.models.upload import SILENCE
from classifier.services.incoming_files import (
    INCOMING_FILES,
    read_incoming_file,
    read_incoming_files,
    storable,
    sync_incoming,
)
from classifier.services.outcomes import Outcome, record_files
from classifier.services.quotas import check_quota
from classifier.services.videos import frames_in_request
from ml.datasets.archives import ArchiveEntry
from ml.datasets.readings import combine, parse_layout
from ml.datasets.table_files import MAX_TABLE_BYTES

BATCH = 256  # files between two writes to the database


def start_upload(project: Project, source: str, *, by: User | None, announced: int | None = None) -> Upload:
    """Start an upload, of so many files where that is known. Raise DiskFull."""
    check_room(0)
    source = storable(source, 300)
    if announced is not None:  # what an interrupted one lacks comes now
        project.uploads.filter(source=source, job=None).exclude(announced=None).update(announced=None)
    heard_at = None if announced is None else timezone.now()
    return Upload.objects.create(project=project, source=source, created_by=by, announced=announced, heard_at=heard_at)


def note_sign(upload: Upload) -> None:
    """Note that the browser that sends the files of an upload is at it. That costs a write every few seconds."""
    now = timezone.now()
    if upload.heard_at is not None and now - upload.heard_at > SILENCE / 6:
        Upload.objects.filter(pk=upload.pk).update(heard_at=now)


def upload_files(
    project: Project, source: str, entries: Iterable[ArchiveEntry], *, by: User | None
) -> tuple[Upload, list[Outcome]]:
    """Take in the files of one request as an upload; one outcome each, and for each frame. Raise DiskFull, QuotaUsedUp.

    All rows are written in one commit, as each commit waits for the disk.
    """
    check_room(0)
    check_quota(project)  # before any picture is on the disk
    files = [read_incoming_file(entry) for entry in frames_in_request(entries)]
    sync_incoming(files)
    with transaction.atomic():
        upload = start_upload(project, source, by=by)
        return upload, record_files(upload, files)


def add_read(upload: Upload, entries: Iterable[ArchiveEntry], *, rate: float | None = None) -> list[Outcome]:
    """Take in files that are in memory, or refused already; one outcome each, and for each frame, in their order.

    `rate` is how many frames a second videos become.
    """
    files = [read_incoming_file(entry) for entry in frames_in_request(entries, rate)]
    sync_incoming(files)
    return record_files(upload, files)


def add_entries(upload: Upload, entries: Iterator[ArchiveEntry]) -> Iterator[list[Outcome]]:
    """Take in the entries of an archive or a folder, in threads.

    Yield the outcomes of each batch once they are written.
    """
    files = read_incoming_files(entries)
    while batch := list(islice(files, BATCH)):
        sync_incoming(batch)
        yield record_files(upload, batch)


def record_read_parts(upload: Upload) -> None:
    """Record the parts of an archive that have been read, as far as they follow on what is recorded.

    Whoever has read a part calls this, so that the first of the same pictures decides its class and the report has the
    order of the archive, while other parts are still being read. Any number of workers may call it at once.
    """
    while _record_next_part(upload):
        pass


@transaction.atomic
def _record_next_part(upload: Upload) -> bool:
    Upload.objects.select_for_update().get(pk=upload.pk)  # one at a time
    part = Job.objects.filter(parent=upload.job_id).order_by("pk").first()
    if part is None or part.status != Job.Status.SUCCEEDED:
        return False
    files = INCOMING_FILES.validate_python(read_state(part).files)
    record_files(upload, files)
    part.delete()
    return True


def receive_archive(
    project: Project, file: "File[bytes]", name: str, *, by: User | None, layout: str = "", confirm: bool = False
) -> Upload:
    """Keep an uploaded archive and queue the job that reads it, as the layout says.

    With `confirm`, it waits until a person has accepted what was understood. Raise DiskFull, QuotaUsedUp, BadLayout.
    """
    config = {"name": name[:300]} | describe_reading(layout, confirm=confirm)
    check_room(0)  # the file is on the disk already, where it is large
    check_quota(project)
    path = default_storage.save(f"incoming/{project.pk}/{get_random_string(24)}", file)
    try:
        return queue_ingest(project, source=name, config={"archive": path, **config}, by=by)
    except Exception:
        default_storage.delete(path)  # no row names it
        raise


def describe_reading(layout: str, *, confirm: bool) -> dict[str, Any]:
    """Return what the config of a job that reads pictures says of how. Raise BadLayout."""
    return ({"layout": str(parse_layout(layout))} if layout else {}) | ({"confirm": True} if confirm else {})


def receive_table(
    project: Project, file: "File[bytes]", name: str, *, by: User | None, layout: str = "", confirm: bool = False
) -> Upload:
    """Keep a table of web addresses and queue the job that fetches its pictures. Raise as `receive_archive`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name.rpartition("/")[2], file.read(MAX_TABLE_BYTES + 1))  # a larger one is none
    return receive_archive(project, File(packed), name, by=by, layout=layout, confirm=confirm)


def queue_ingest(project: Project, *, source: str, config: dict[str, Any], by: User | None) -> Upload:
    """Start an upload whose items an `ingest` job will write."""
    with transaction.atomic():
        upload = start_upload(project, source, by=by)
        upload.job = queue_job(INGEST, project=project, by=by, config=config)
        upload.save(update_fields=["job"])
    return upload


def answer_upload(upload: Upload, answers: list[str], *, accept: bool = True) -> None:
    """Let the job of an upload go on that asked how its archive is to be read. Raise BadLayout, AlreadyAnswered.

    Unless the person accepts what they cannot have seen yet, they are shown what is understood so.
    """
    if upload.job is None:
        raise AlreadyAnswered
    answer_job(upload.job, layout=str(combine([asked_layout(upload.job), *answers])), accepted=accept)


def asked_layout(job: Job) -> str:
    """Return how the archive of a job was to be read when it was planned."""
    return read_state(job).layout or str(job.config.get("layout", ""))


def delete_read_archives() -> None:
    """Delete what was uploaded for jobs that have ended, however they ended. For the reaper."""
    kept = Job.objects.filter(parent=None, config__has_key="archive").exclude(status__in=Job.OPEN)
    for job in kept.exclude(state__has_key="archive_deleted")[:100]:
        default_storage.delete(job.config["archive"])
        job.children.all().delete()  # parts that nobody will record any more
        update_ended_state(job, archive_deleted=True)
