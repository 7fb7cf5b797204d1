"""Folders and buckets outside the site, from which pictures may be brought in: those that IMPORT_FROM names."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User

from classifier.models import Job, Project, Upload
from classifier.outages import StorageAway
from classifier.services.plans import check_size
from classifier.services.quotas import check_quota
from classifier.services.uploads import describe_reading, queue_ingest
from ml.datasets.archives import Opened, looks_like_archive, open_path
from ml.datasets.file_names import shows_something
from ml.datasets.litter import is_litter
from ml.datasets.plan import Plan
from ml.datasets.readings import Layout
from ml.errors import Refused

BUCKET = "s3://"
MOST_LISTED = 1000  # names on a page


class NoSuchSource(Refused):
    """The folder or bucket is none of those that are allowed, or not in it. The message is a sentence for the user."""

    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such folder among those that the administrator allows.")


@dataclass(frozen=True)
class Contents:
    """What lies in a folder: names of folders and archives, the first ones of many, and the number of pictures."""

    folders: list[str]
    archives: list[str]
    pictures: int


def browse(source: str, path: str) -> Contents:
    """List what lies in a folder of a source. Raise `NoSuchSource`, OSError."""
    _check(source, path)
    if source.startswith(BUCKET):
        from classifier.services.bucket_source import browse_bucket  # boto3 is an extra

        return Contents(*browse_bucket(source, path, MOST_LISTED))
    return _browse_folder(_inside(Path(source), path))


def open_source(
    source: str,
    path: str,
    layout: Layout,
    *,
    copy: Path,
    check: Callable[[int], None] = lambda size: None,
    alive: Callable[[], None] = lambda: None,
) -> Opened:
    """List a folder or an archive of a source and plan it. Raise `NoSuchSource`, `ArchiveRejected`, OSError.

    An archive in a bucket is fetched to a file whose path begins with `copy`, and is read from there; `check` and
    `alive` are as for `open_bucket_archive`.
    """
    _check(source, path)
    if not source.startswith(BUCKET):
        return open_path(_inside(Path(source), path), settings.ARCHIVE_LIMITS, layout)
    from classifier.services.bucket_source import open_bucket, open_bucket_archive  # boto3 is an extra

    limits = settings.ARCHIVE_LIMITS
    if looks_like_archive(path):
        opened = open_bucket_archive(source, path, limits, layout, copy=copy, check=check, alive=alive)
        if opened is not None:
            return opened
    return open_bucket(source, path, limits, layout)


def plan_source(source: str, path: str, layout: Layout) -> Plan:
    """Return the plan of what lies in a source, while whoever asks waits. Raise as `open_source`, TooLargeToPlan."""
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR, prefix="plan-") as folder:
        return open_source(source, path, layout, copy=Path(folder) / "archive", check=check_size).plan


def copy_for(job: Job) -> Path:
    """Return what the path of a job's copy of an archive begins with.

    It lies with the scratch files, which are deleted when nobody has used them for a day.
    """
    return Path(settings.FILE_UPLOAD_TEMP_DIR) / f"source-{job.pk}"


def delete_copies(job: Job) -> None:
    """Delete this machine's copies of what a job has read from a bucket."""
    copy = copy_for(job)
    for path in copy.parent.glob(f"{copy.name}-*"):
        path.unlink(missing_ok=True)


def ingest_source(
    project: Project, source: str, path: str, *, by: User | None, layout: str = "", confirm: bool = False
) -> Upload:
    """Queue the job that brings in a folder of a source; `confirm` as for archives.

    Raise `NoSuchSource`, `BadLayout`, DiskFull, QuotaUsedUp.
    """
    _check(source, path)
    if not source.startswith(BUCKET):
        _inside(Path(source), path)
    check_quota(project)
    config = {"source": source, "path": path} | describe_reading(layout, confirm=confirm)
    return queue_ingest(project, source=f"{source}/{path}".rstrip("/"), config=config, by=by)


def _check(source: str, path: str) -> None:
    """Raise `NoSuchSource` unless the administrator allows the source, and the path only leads further into it."""
    parts = path.split("/") if path else []
    if source not in settings.IMPORT_FROM or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise NoSuchSource


def _inside(root: Path, path: str) -> Path:
    """Return the folder or archive, wherever links lead that are within the source.

    Raise `NoSuchSource`; StorageAway if the source itself is away.
    """
    found, allowed = Path(os.path.realpath(root / path)), Path(os.path.realpath(root))
    if not allowed.exists():  # such as a share that is not mounted at the moment
        raise StorageAway(f"{root} is not there.")
    if not found.is_relative_to(allowed) or not found.exists():
        raise NoSuchSource
    return found


def _browse_folder(folder: Path) -> Contents:
    if not folder.is_dir():
        raise NoSuchSource
    folders, archives, pictures = [], [], 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_litter(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif looks_like_archive(entry.name):
                archives.append(entry.name)
            else:
                pictures += shows_something(entry.name)
    return Contents(sorted(folders)[:MOST_LISTED], sorted(archives)[:MOST_LISTED], pictures)
