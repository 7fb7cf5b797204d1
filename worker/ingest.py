"""Turn an archive or a sample set into samples."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType

from django.conf import settings
from django.db import transaction

from classifier.jobs import lifecycle, reporting, sending
from classifier.jobs.kinds import READ
from classifier.jobs.log import WARNING, write_line
from classifier.jobs.state import read_state
from classifier.models import Job, Upload, UploadItem
from classifier.selectors import upload_counts
from classifier.services import sample_sets, sources, uploads
from classifier.services.incoming_files import INCOMING_FILES, read_incoming_file, sync_incoming
from classifier.services.videos import find_position, frames_in_job
from classifier.services.web_pictures import walk_with_web
from classifier.services.web_uploads import PLANNED, read_planned
from classifier.storage import delete_copy, kept_copy
from ml.datasets.archives import (
    ArchiveEntry,
    ArchiveRejected,
    ArchiveWalk,
    Opened,
    ZipMember,
    open_archive,
    read_zip,
    walk_archive,
)
from ml.datasets.plan import Verdict
from ml.datasets.readings import Layout, parse_layout
from ml.errors import UserError
from ml.images.isolated import CRASHES, isolated_reader
from worker.chunks import cut_chunks
from worker.class_thumbnails import show_classes
from worker.throttle import Throttle
from worker.turns import LongTurn

MAX_PART, MIN_PART = 512, 128  # files that one job reads; a job costs as much as about ten small pictures


def ingest(job: Job) -> None:
    """Read an archive or a sample set into samples.

    After a worker's death, continue where the report ends. A zip is read by other jobs, part by part, on all workers;
    this job is claimed again after the last of them.
    """
    if read_state(job).in_parts:
        uploads.record_read_parts(job.upload)
        delete_copy(job.config["archive"])
        _check_outcome(job)
    elif job.config.get("sample_set") == sample_sets.DIGITS:
        _take_in(job, sample_sets.draw_digits())
    elif job.config.get("sample_set") == sample_sets.FLOWERS:
        _ingest_flowers(job)
    elif job.config.get(PLANNED):
        _fetch_planned(job)
        _check_outcome(job)
    elif _ingest_planned(job):
        return
    else:
        _check_outcome(job)
    lifecycle.finish_job(job)


def _check_outcome(job: Job) -> None:
    """Raise `ArchiveRejected` if there were pictures, but none could be brought in: the job has not succeeded."""
    counts = upload_counts(job.upload)
    rejected = counts.get(UploadItem.Status.REJECTED.value, 0)
    if rejected and len(counts) == 1:
        raise ArchiveRejected("None of the files could be brought in. The report of the upload says why.")
    if rejected:
        write_line(
            job, f"{rejected:,} of {sum(counts.values()):,} files could not be used; the report says why.", WARNING
        )


def _ingest_flowers(job: Job) -> None:
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        reporting.enter_stage(job, "download", total=1)
        throttle = Throttle()

        def report(received: int, total: int) -> None:
            if throttle.due():
                reporting.report(job, done=received // 2**20, total=max(total // 2**20, 1))

        path = sample_sets.download_flowers(Path(folder), report)
        walk = walk_archive(path, settings.ARCHIVE_LIMITS)
        _take_in(job, walk)


def _fetch_planned(job: Job) -> None:
    with kept_copy(job.config["archive"]) as path:
        web = read_planned(path)
    _take_in(job, ArchiveWalk(0, iter(())), web, rate=job.config.get("frames"))


@contextmanager
def _opened(job: Job) -> Iterator[Opened]:
    """Open what was uploaded or chosen, and plan it."""
    layout = parse_layout(uploads.asked_layout(job))
    if "source" in job.config:
        with _opened_source(job, layout) as opened:
            yield opened
        return
    with kept_copy(job.config["archive"]) as path:
        yield open_archive(path, settings.ARCHIVE_LIMITS, layout)


@contextmanager
def _opened_source(job: Job, layout: Layout) -> Iterator[Opened]:
    """Open what was chosen of a source; the copy of an archive in a bucket is kept while the job waits."""
    throttle = Throttle()

    def alive() -> None:
        if throttle.due():
            lifecycle.beat(job)

    source, path, copy = job.config["source"], job.config["path"], sources.copy_for(job)
    try:
        yield sources.open_source(source, path, layout, copy=copy, alive=alive)
    except UserError:
        sources.delete_copies(job)
        raise


def _ingest_planned(job: Job) -> bool:
    """Take in what is opened, or queue its parts, or ask how it is to be read; return whether the job goes on later."""
    with _opened(job) as opened:
        plan = opened.plan.describe_fully()
        if opened.plan.questions or (job.config.get("confirm") and not read_state(job).accepted):
            # A picture may have been what the worker died of: then the question is asked without any.
            lifecycle.ask(job, plan=plan, thumbnails={} if job.worker_deaths else show_classes(opened))
            return True
        reporting.update_state(job, plan=plan, thumbnails={})
        # Other workers read parts of what was uploaded; a folder of the administrator is read by one, in one go.
        members = opened.zip_members() if opened.zip_members and "archive" in job.config else []
        if len(members) > MIN_PART and not opened.plan.web:
            _queue_parts(job, members, opened.plan.layout.frames)
            return True
        _take_in(job, opened.walk(), opened.plan.web)
    sources.delete_copies(job)
    return False


def _queue_parts(job: Job, members: list[ZipMember], frames: float | None) -> None:
    chunks = cut_chunks(members, least=MIN_PART, most=MAX_PART)
    shared = {"archive": job.config["archive"], "frames": frames}
    configs = [{**shared, "members": chunk, "units": len(chunk)} for chunk in chunks]
    with transaction.atomic():
        reporting.enter_stage(job, "read", total=len(members))
        reporting.update_state(job, in_parts=True)
        sending.queue_children(job, READ, configs=configs)
        lifecycle.park_job(job)


def read_part(job: Job) -> None:
    """Verify and store the pictures of a part of a zip, and record them and what else is due.

    A part with a video gives more pictures than it has files.
    """
    members = [ZipMember(*member) for member in job.config["members"]]
    files = []
    throttle = Throttle()
    with kept_copy(job.config["archive"]) as path:
        pictures = frames_in_job(read_zip(path, members), job.config.get("frames"), alive=partial(lifecycle.beat, job))
        with _careful(job, pictures) as entries:
            for entry in entries:
                files.append(read_incoming_file(entry))
                if throttle.due():
                    lifecycle.beat(job)  # which finds out whether the job was cancelled
    sync_incoming(files)
    lifecycle.finish_job(job, files=INCOMING_FILES.dump_python(files))
    uploads.record_read_parts(Upload.objects.get(job=job.parent_id))


@contextmanager
def _careful(job: Job, entries: Iterator[ArchiveEntry]) -> Iterator[Iterator[ArchiveEntry]]:
    """Give the entries; after a worker has died on them, refuse each picture that ends a process of its own."""
    if not job.worker_deaths:
        yield entries
        return
    with isolated_reader() as reader:
        yield (_refuse(entry) if entry.data and reader.crashes(entry.data) else entry for entry in entries)


def _refuse(entry: ArchiveEntry) -> ArchiveEntry:
    return entry._replace(class_name=None, data=None, reason=CRASHES)


def _take_in(
    job: Job, files: ArchiveWalk, web: Mapping[str, Verdict] = MappingProxyType({}), *, rate: float | None = None
) -> None:
    done = job.upload.items.count()  # by a worker that died: the entries come in the same order again
    files_done, frames_done = find_position(job.upload)
    walk = walk_with_web(files, web, done=files_done, alive=partial(lifecycle.beat, job))
    reporting.enter_stage(job, "read", total=walk.total)
    if not walk.total:
        raise ArchiveRejected("There are no files in it.")
    rate = files.plan.layout.frames if files.plan else rate
    pictures = frames_in_job(walk, rate, alive=partial(lifecycle.beat, job), skip=frames_done)
    turn = LongTurn(job)
    with _careful(job, pictures) as entries:
        for outcomes in uploads.add_entries(job.upload, entries):
            done += len(outcomes)
            reporting.report(job, done=done, total=max(walk.total, done), kept=done)
            turn.kept()
