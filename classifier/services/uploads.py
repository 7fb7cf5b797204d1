"""upload -> samples: every file ends as stored, already there, or rejected with a reason."""

import functools
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.crypto import get_random_string

from classifier.models import ImageClass, Job, Project, Sample, Upload, UploadItem
from classifier.prepared import insert_rows
from classifier.services.images import ensure_images, store_picture
from classifier.services.jobs import queue_job
from classifier.services.projects import LONGEST_CLASS_NAME, InvalidName, clean_name, ensure_classes
from worker.archives import ArchiveEntry
from worker.images import ImageFacts, ImageRejected

BATCH = 256  # files between two writes to the database
# Handing a single file to a thread and back would cost as much as verifying it; large ones go by themselves.
GROUP, GROUP_BYTES = 32, 4 * 2**20
AHEAD = 2 * BATCH // GROUP  # groups: verifying goes on while a batch is written
AHEAD_BYTES = 128 * 2**20
SAMPLE_FIELDS = ("project_id", "image_id", "image_class_id", "split", "file_name", "created_by_id")
ITEM_FIELDS = ("upload_id", "file_name", "class_name", "status", "reason")  # the last four an Outcome's
Status = UploadItem.Status


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file on its way in: `facts` once its bytes are stored and its class name is a name, `reason` if refused."""

    file_name: str
    class_name: str
    facts: ImageFacts | None = None
    reason: str = ""


class Outcome(NamedTuple):
    """What became of a file: its line in the report, an UploadItem."""

    file_name: str
    class_name: str
    status: str
    reason: str


def start_upload(project: Project, source: str, *, by: User | None) -> Upload:
    return Upload.objects.create(project=project, source=_storable(source, 300), created_by=by)


def add_pictures(upload: Upload, pictures: Iterable[tuple[str, str, bytes]]) -> list[Outcome]:
    """Take (file name, class name, bytes) in; one outcome each, in their order. The request's own way in."""
    entries = [ArchiveEntry(name=name, class_name=label, data=data, reason=None) for name, label, data in pictures]
    return record_candidates(upload, [read_candidate(entry) for entry in entries])


def add_entries(upload: Upload, entries: Iterator[ArchiveEntry]) -> Iterator[list[Outcome]]:
    """Take a walk through an archive in, on all cores; yields the outcomes of each batch once they are written."""
    with _short_turns(), ThreadPoolExecutor(settings.CORES, thread_name_prefix="verify") as pool:
        candidates = _verify_ahead(pool, entries)
        while batch := list(islice(candidates, BATCH)):
            yield record_candidates(upload, batch)


@contextmanager
def _short_turns() -> Iterator[None]:
    """Threads that come back from decoding wait for the interpreter while another thread writes a batch.

    By default they get their turn after 5 ms, which is several pictures' time.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _verify_ahead(pool: ThreadPoolExecutor, entries: Iterator[ArchiveEntry]) -> Iterator[Candidate]:
    """In order. The archive is read ahead of the verifying, as far as AHEAD groups or AHEAD_BYTES of them."""
    waiting: deque[tuple[int, Future[list[Candidate]]]] = deque()
    held = 0
    for group, size in _group(entries):
        waiting.append((size, pool.submit(_read_candidates, group)))
        held += size
        while waiting and (len(waiting) > AHEAD or held > AHEAD_BYTES):
            size, future = waiting.popleft()
            held -= size
            yield from future.result()
    for _, future in waiting:
        yield from future.result()


def _group(entries: Iterator[ArchiveEntry]) -> Iterator[tuple[list[ArchiveEntry], int]]:
    """Up to GROUP files or GROUP_BYTES and what is above it, with their size."""
    group: list[ArchiveEntry] = []
    size = 0
    for entry in entries:
        group.append(entry)
        size += len(entry.data or b"")
        if len(group) == GROUP or size >= GROUP_BYTES:
            yield group, size
            group, size = [], 0
    if group:
        yield group, size


def _read_candidates(entries: list[ArchiveEntry]) -> list[Candidate]:
    return [read_candidate(entry) for entry in entries]


def read_candidate(entry: ArchiveEntry) -> Candidate:
    """Verify and store one file's bytes. Touches no database, so that any thread may do it."""
    candidate = Candidate(
        _storable(entry.name, 1000) or "unnamed", _storable(entry.class_name or "", LONGEST_CLASS_NAME)
    )
    if entry.data is None:
        return replace(candidate, reason=entry.reason or "It cannot be read.")
    if not candidate.class_name.strip():
        return replace(candidate, reason="It lies outside the class folders.")
    try:
        name = _clean_class_name(entry.class_name or "")
        return replace(candidate, class_name=name, facts=store_picture(entry.data))
    except InvalidName as error:
        return replace(candidate, reason=f"Its class name cannot be used. {error}")
    except ImageRejected as error:
        return replace(candidate, reason=str(error))


def _clean_class_name(name: str) -> str:
    """Raises InvalidName. Thousands of pictures share a few names."""
    return _clean_short_name(name) if len(name) <= LONGEST_CLASS_NAME else clean_name(name, longest=LONGEST_CLASS_NAME)


@functools.lru_cache(maxsize=1024)
def _clean_short_name(name: str) -> str:
    return clean_name(name, longest=LONGEST_CLASS_NAME)


def _storable(text: str, longest: int) -> str:
    """For the report: PostgreSQL keeps no NUL in a text."""
    return text.replace("\0", "\ufffd")[:longest]


@transaction.atomic
def record_candidates(upload: Upload, candidates: list[Candidate]) -> list[Outcome]:
    """Write images, samples and the report of one batch."""
    good = [candidate for candidate in candidates if candidate.facts]
    new, known = ensure_images(candidate.facts for candidate in good if candidate.facts)
    classes = ensure_classes(upload.project, {candidate.class_name for candidate in good})
    recorder = _Recorder(upload, new | known, classes, _list_places(upload.project, known.values()))
    outcomes = [recorder.record(candidate) for candidate in candidates]
    recorder.write()
    insert_rows(UploadItem, ITEM_FIELDS, [(upload.pk, *outcome) for outcome in outcomes])
    return outcomes


class _Place(NamedTuple):
    """Where a picture is in the project. Not a row: making thousands of those takes longer than writing them."""

    class_id: int
    class_name: str
    deleted_at: datetime | None = None


def _list_places(project: Project, images: Iterable[int]) -> dict[int, _Place]:
    """Where those of the pictures are that are samples of the project already."""
    samples = Sample.objects.filter(project=project, image__in=list(images))
    rows = samples.values_list("image_id", "image_class_id", "image_class__name", "deleted_at")
    return {row[0]: _Place(*row[1:]) for row in rows}


class _Recorder:
    """Decides the fate of each file of a batch, knowing the samples that are there and those just made."""

    def __init__(
        self, upload: Upload, images: dict[str, int], classes: dict[str, ImageClass], places: dict[int, _Place]
    ) -> None:
        self.upload, self.images, self.classes, self.places = upload, images, classes, places
        self.new: dict[int, str] = {}  # image -> file name
        self.restored: list[int] = []  # images

    def record(self, candidate: Candidate) -> Outcome:
        status, reason = self._fate(candidate)
        return Outcome(candidate.file_name, candidate.class_name, status.value, reason[:500])

    def _fate(self, candidate: Candidate) -> tuple[UploadItem.Status, str]:
        if candidate.facts is None:
            return Status.REJECTED, candidate.reason
        image = self.images[candidate.facts.sha256]
        image_class = self.classes[candidate.class_name]
        place = self.places.get(image)
        if place is not None and place.deleted_at is None:
            return Status.DUPLICATE, _why_duplicate(place, image_class)
        self.places[image] = _Place(image_class.pk, image_class.name)
        if place is None:
            self.new[image] = candidate.file_name
            return Status.STORED, ""
        self.restored.append(image)
        return Status.STORED, "It was in the trash and has been restored."

    def write(self) -> None:
        # Another request may have added the same picture since we looked: the unique constraint decides. In the
        # order of the images, as two writers who lock the same rows in another order would wait for each other.
        project, by = self.upload.project_id, self.upload.created_by_id
        rows = [(project, image, self.places[image].class_id, "", self.new[image], by) for image in sorted(self.new)]
        insert_rows(Sample, SAMPLE_FIELDS, rows)
        for image in self.restored:
            trashed = Sample.objects.filter(project=project, image=image)
            trashed.update(deleted_at=None, image_class=self.places[image].class_id)


def _why_duplicate(place: _Place, image_class: ImageClass) -> str:
    if place.class_id == image_class.pk:
        return "The same picture is already in this class."
    return (
        f"The same picture is already in the class “{place.class_name}”. "
        "A picture can be in one class only; move it if that one is wrong."
    )


def receive_archive(project: Project, file: File, name: str, *, by: User | None) -> Upload:
    """Keep an uploaded archive and queue the job that reads it."""
    path = default_storage.save(f"incoming/{project.pk}/{get_random_string(24)}", file)
    return queue_ingest(project, source=name, config={"archive": path, "name": name[:300]}, by=by)


def queue_ingest(project: Project, *, source: str, config: dict[str, Any], by: User | None) -> Upload:
    """An upload whose items an `ingest` job will write."""
    with transaction.atomic():
        upload = start_upload(project, source, by=by)
        upload.job = queue_job(project=project, kind=Job.Kind.INGEST, by=by, config=config)
        upload.save(update_fields=["job"])
    return upload


def delete_read_archives() -> None:
    """Archives whose job has ended, however it ended, are not needed any more. For the watchman."""
    kept = Job.objects.filter(kind=Job.Kind.INGEST, config__has_key="archive").exclude(status__in=Job.OPEN)
    for job in kept.exclude(facts__has_key="archive_deleted")[:100]:
        default_storage.delete(job.config["archive"])
        Job.objects.filter(pk=job.pk).update(facts={**job.facts, "archive_deleted": True})
