"""An archive or a sample set to samples."""

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings

from classifier.models import Job
from classifier.services import jobs, sample_sets, uploads
from classifier.storage import local_copy
from worker.archives import ArchiveRejected, walk_archive
from worker.tasks.throttle import Throttle


def ingest(job: Job) -> None:
    """Read an archive or a sample set into samples. After a worker's death it goes on where the report ends."""
    if job.config.get("sample_set") == sample_sets.DIGITS:
        _take_in(job, sample_sets.draw_digits(), stage="read", total=1797)
    elif job.config.get("sample_set") == sample_sets.FLOWERS:
        _ingest_flowers(job)
    else:
        _ingest_archive(job, job.config["archive"])
    jobs.finish_job(job)


def _ingest_flowers(job: Job) -> None:
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        jobs.enter_stage(job, "download", total=1)
        throttle = Throttle()

        def report(received: int, total: int) -> None:
            if throttle.due():
                jobs.report(job, done=received // 2**20, total=max(total // 2**20, 1))

        path = sample_sets.download_flowers(Path(folder), report)
        walk = walk_archive(path, settings.ARCHIVE_LIMITS)
        _take_in(job, iter(walk), stage="read_download", total=walk.total or 0)


def _ingest_archive(job: Job, stored: str) -> None:
    with local_copy(stored, suffix=Path(job.config["name"]).suffix) as path:
        walk = walk_archive(path, settings.ARCHIVE_LIMITS)
        _take_in(job, iter(walk), stage="read", total=walk.total or 0)


def _take_in(job: Job, entries: Iterator[Any], *, stage: str, total: int) -> None:
    jobs.enter_stage(job, stage, total=total)
    if stage.startswith("read") and not total:
        raise ArchiveRejected("There are no files in this archive.")
    done = job.upload.items.count()  # of a worker that died half-way: entries come in the same order again
    for items in uploads.add_entries(job.upload, islice(entries, done, None)):
        done += len(items)
        jobs.report(job, done=done, total=max(total, done))
