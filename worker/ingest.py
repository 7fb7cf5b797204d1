"""Turn an archive or a sample set into samples."""

import tempfile
from pathlib import Path

from django.conf import settings

from classifier.jobs import lifecycle
from classifier.models import Job
from classifier.services import sample_sets, uploads
from classifier.storage import local_copy
from ml.datasets.archives import ArchiveRejected, ArchiveWalk, walk_archive
from worker.throttle import Throttle


def ingest(job: Job) -> None:
    """Read an archive or a sample set into samples. After a worker's death, continue where the report ends."""
    if job.config.get("sample_set") == sample_sets.DIGITS:
        _take_in(job, sample_sets.draw_digits())
    elif job.config.get("sample_set") == sample_sets.FLOWERS:
        _ingest_flowers(job)
    else:
        _ingest_archive(job, job.config["archive"])
    lifecycle.finish_job(job)


def _ingest_flowers(job: Job) -> None:
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        lifecycle.enter_stage(job, "download", total=1)
        throttle = Throttle()

        def report(received: int, total: int) -> None:
            if throttle.due():
                lifecycle.report(job, done=received // 2**20, total=max(total // 2**20, 1))

        path = sample_sets.download_flowers(Path(folder), report)
        walk = walk_archive(path, settings.ARCHIVE_LIMITS)
        _take_in(job, walk)


def _ingest_archive(job: Job, stored: str) -> None:
    with local_copy(stored, suffix=Path(job.config["name"]).suffix) as path:
        walk = walk_archive(path, settings.ARCHIVE_LIMITS)
        _take_in(job, walk)


def _take_in(job: Job, walk: ArchiveWalk) -> None:
    lifecycle.enter_stage(job, "read", total=walk.total)
    if not walk.total:
        raise ArchiveRejected("There are no files in this archive.")
    done = job.upload.items.count()  # by a worker that died: the entries come in the same order again
    for outcomes in uploads.add_entries(job.upload, walk, start=done):
        done += len(outcomes)
        lifecycle.report(job, done=done, total=max(walk.total, done))
