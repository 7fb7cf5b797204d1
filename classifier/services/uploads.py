"""upload -> samples: every file ends as stored, already there, or rejected with a reason."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

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
from classifier.models import ImageClass, Job, Project, Sample, Upload, UploadItem
from classifier.models.upload import SILENCE
from classifier.prepared import insert_rows
from classifier.services.candidate_queue import train_soon
from classifier.services.images import ensure_images
from classifier.services.incoming_files import (
    INCOMING_FILES,
    IncomingFile,
    read_incoming_file,
    read_incoming_files,
    storable,
    sync_incoming,
)
from classifier.services.projects import ensure_classes
from classifier.services.quotas import check_quota, refuse_beyond_quota
from classifier.services.readiness import get_ready_soon
from classifier.services.videos import frames_in_request
from ml.datasets.archives import ArchiveEntry
from ml.datasets.plan import USED
from ml.datasets.readings import combine, parse_layout
from ml.datasets.table_files import MAX_TABLE_BYTES

BATCH = 256  # files between two writes to the database
SAMPLE_FIELDS = (
    *("project_id", "image_id", "image_class_id", "split", "split_is_given", "group", "is_compared"),
    *("file_name", "created_by_id", "upload_id"),
)
ITEM_FIELDS = ("upload_id", "file_name", "class_name", "status", "reason")  # the last four an Outcome's
Status = UploadItem.Status


class Outcome(NamedTuple):
    """What became of a file: its line in the report, an UploadItem."""

    file_name: str
    class_name: str
    status: str
    reason: str


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


@transaction.atomic
def record_files(upload: Upload, files: list[IncomingFile]) -> list[Outcome]:
    """Write images, samples and the report of one batch, whose pictures have been synced.

    What only told of the pictures, such as a table, is no line of the report.
    """
    files = refuse_beyond_quota(upload.project, [incoming for incoming in files if incoming.reason != USED])
    good = [incoming for incoming in files if incoming.facts]
    new, known = ensure_images(incoming.facts for incoming in good if incoming.facts)
    classes = ensure_classes(upload.project, {incoming.class_name for incoming in good if incoming.class_name})
    recorder = _Recorder(upload, new | known, classes, _list_places(upload.project, known.values()))
    outcomes = [recorder.record(incoming) for incoming in files]
    recorder.write()
    insert_rows(UploadItem, ITEM_FIELDS, [(upload.pk, *outcome) for outcome in outcomes])
    if any(outcome.status == Status.STORED for outcome in outcomes):
        transaction.on_commit(lambda: get_ready_soon(upload.project))
        train_soon(upload.project)
    return outcomes


class _Place(NamedTuple):
    """Where a picture is in the project. Not a row: making thousands of those takes longer than writing them."""

    class_id: int | None
    class_name: str | None
    deleted_at: datetime | None = None


def _list_places(project: Project, images: Iterable[int]) -> dict[int, _Place]:
    """Return where those of the pictures are that are samples of the project already."""
    known = list(images)
    if not known:
        return {}
    samples = Sample.objects.filter(project=project, image__in=known)
    rows = samples.values_list(
        "image_id", "image_class_id", "image_class__name", "deleted_at", "image_class__deleted_at"
    )
    # What lies in the trash with its class comes back without one.
    return {row[0]: _Place(*row[1:4]) if row[4] is None else _Place(None, None, row[3]) for row in rows}


class _Recorder:
    """Decides the fate of each file of a batch, knowing the samples that are there and those just made."""

    def __init__(
        self, upload: Upload, images: dict[str, int], classes: dict[str, ImageClass], places: dict[int, _Place]
    ) -> None:
        self.upload, self.images, self.classes, self.places = upload, images, classes, places
        self.new: dict[int, IncomingFile] = {}  # by the image
        self.restored: list[int] = []  # images
        self.labelled: dict[int, IncomingFile] = {}  # what was there without a class, by the image

    def record(self, incoming: IncomingFile) -> Outcome:
        status, reason = self._fate(incoming)
        return Outcome(incoming.file_name, incoming.class_name, status.value, reason[:500])

    def _fate(self, incoming: IncomingFile) -> tuple[UploadItem.Status, str]:
        if incoming.facts is None:
            return Status.REJECTED, incoming.reason
        image = self.images[incoming.facts.sha256]
        image_class = self.classes.get(incoming.class_name)  # None for one without a class
        place = self.places.get(image)
        if place is not None and place.deleted_at is None:
            return self._fate_of_known(image, place, incoming, image_class)
        if image_class is not None:
            self.places[image] = _Place(image_class.pk, image_class.name)
        else:
            self.places[image] = place._replace(deleted_at=None) if place else _Place(None, None)
        if place is None:
            self.new[image] = incoming
            return Status.STORED, ""
        self.restored.append(image)
        return Status.STORED, "It was in the trash and has been restored."

    def _fate_of_known(
        self, image: int, place: _Place, incoming: IncomingFile, image_class: ImageClass | None
    ) -> tuple[UploadItem.Status, str]:
        """Return the fate of a file whose picture is there: a class is news only to one that has none."""
        if image_class is None or place.class_id is not None:
            return Status.DUPLICATE, why_duplicate(place.class_name, image_class.name if image_class else None)
        self.places[image] = _Place(image_class.pk, image_class.name)
        if image in self.new:
            self.new[image] = incoming
        else:
            self.labelled[image] = incoming
        return Status.DUPLICATE, "The same picture was already there without a class; now it has this one."

    def write(self) -> None:
        # Another request may have added the same picture since we looked: the unique constraint decides. In the
        # order of the images, as two writers who lock the same rows in another order would wait for each other.
        project, by = self.upload.project_id, self.upload.created_by_id
        new = [(image, self.places[image].class_id, self.new[image]) for image in sorted(self.new)]
        rows = [
            (project, image, label, file.split, bool(file.split), file.group, False, file.file_name, by, self.upload.pk)
            for image, label, file in new
        ]
        insert_rows(Sample, SAMPLE_FIELDS, rows)
        for image, file in self.labelled.items():
            unlabelled = Sample.objects.filter(project=project, image=image, image_class=None)
            given = {"split": file.split, "split_is_given": bool(file.split), "group": file.group}
            unlabelled.update(image_class=self.places[image].class_id, **given)
        for image in self.restored:
            trashed = Sample.objects.filter(project=project, image=image)
            trashed.update(deleted_at=None, image_class=self.places[image].class_id)


def why_duplicate(its_class: str | None, wanted: str | None) -> str:
    """Say why a picture is not taken in that is there already, in a class or without one."""
    if wanted is None:
        return "The same picture is already there."
    if its_class == wanted:
        return "The same picture is already in this class."
    return (
        f"The same picture is already in the class “{its_class}”. "
        "A picture can only be in one class; move it if that class is wrong."
    )


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
