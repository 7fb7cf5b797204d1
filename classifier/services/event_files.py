"""The event files of a training: what TensorBoard shows, as one zip beside the artifact."""

import hashlib
from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import default_storage

from classifier.jobs.lifecycle import beat
from classifier.jobs.reporting import update_state
from classifier.jobs.state import StoredFile, read_state
from classifier.models import Job
from classifier.services.exports import pack_files
from classifier.storage import store_once


def store_event_files(job: Job, folder: Path) -> None:
    """Store the zip, then the row; do nothing if the folder is empty. Raise LeaseLost before anything is stored."""
    if not any(folder.iterdir()):
        return
    beat(job)
    before = read_state(job).event_files
    data = pack_files(folder, folder=event_files_name(job))
    sha256 = hashlib.sha256(data).hexdigest()
    store_once(event_files_path(sha256), data)
    update_state(job, event_files=StoredFile(sha256=sha256, size=len(data)))
    # What an attempt that was broken off had written is in the new ones too.
    if before is not None and not Job.objects.filter(state__event_files__sha256=before.sha256).exists():
        default_storage.delete(event_files_path(before.sha256))


def open_event_files(job: Job) -> "File[bytes]":
    """Open the zip. Raise OSError if there is none, or the storage has lost it."""
    stored = read_state(job).event_files
    if stored is None:
        raise FileNotFoundError
    return default_storage.open(event_files_path(stored.sha256))


def event_files_name(job: Job) -> str:
    """Return the name of the zip and of the folder in it."""
    return f"{job.own_project.slug}-job{job.number}-event-files"


def event_files_path(sha256: str) -> str:
    """Return where a zip of event files is in the default storage."""
    return f"summaries/{sha256}.zip"
