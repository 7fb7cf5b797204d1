"""The event files of a training: what TensorBoard shows, as one zip beside the artifact."""

import hashlib
from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import default_storage

from classifier.jobs.lifecycle import beat, report
from classifier.models import Job
from classifier.services.exports import pack_files
from classifier.storage import store_once


def store_summaries(job: Job, folder: Path) -> None:
    """The zip first, then the row. Nothing where nothing was written; raises LeaseLost before anything is stored."""
    if not any(folder.iterdir()):
        return
    beat(job)
    data = pack_files(folder, folder=summaries_name(job))
    sha256 = hashlib.sha256(data).hexdigest()
    store_once(_path(sha256), data)
    report(job, facts={**job.facts, "summaries": {"sha256": sha256, "size": len(data)}})


def open_summaries(job: Job) -> File:
    """Raises OSError where there are none, or the storage has lost them."""
    if "summaries" not in job.facts:
        raise FileNotFoundError
    return default_storage.open(_path(job.facts["summaries"]["sha256"]))


def summaries_name(job: Job) -> str:
    """Of the folder in the zip, and of the zip."""
    return f"{job.own_project.slug}-job{job.pk}-summaries"


def _path(sha256: str) -> str:
    return f"summaries/{sha256}.zip"
