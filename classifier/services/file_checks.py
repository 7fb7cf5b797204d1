"""Rows and files held against each other: what is missing, what is damaged, what nobody needs."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.core.files.storage import default_storage
from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from classifier.models import (
    Audit,
    Candidate,
    Contribution,
    CustomBackbone,
    DatasetVersion,
    EmbeddingShard,
    Export,
    Image,
    Job,
    ModelVersion,
    PartialUpload,
)
from classifier.models.custom_backbone import backbone_file_path
from classifier.models.image import THUMBNAIL_SIZES
from classifier.outages import StorageAway, find_outage
from classifier.services.artifacts import artifact_path, load_artifact, load_evaluation
from classifier.services.candidate_files import list_paths, read_files
from classifier.services.event_files import event_files_path
from classifier.services.images import read_file
from classifier.services.portable.checks import pieces_of
from classifier.services.project_files.offering import project_file_path
from classifier.storage import part_storage
from ml.backbones.spec import check_files, parse_spec
from ml.machine import CORES
from ml.training.artifacts import DETECTOR, EVALUATION, HEAD, MANIFEST, ArtifactCorrupt

ORPHAN_AGE = timedelta(days=1)  # a job may still be about to write the row
PROBED = 20  # pictures at each end of the table
AHEAD = 64  # files that are being read before the first of them is told of


@dataclass(frozen=True)
class Problem:
    """Something that is not as the rows say.

    Attributes:
        kind: "missing", "damaged", "unreadable", which is what the system refuses to read now, "orphan", which is a
            file that no row names, or "whole", which is a picture that was set aside and need not be any more.
        path: of the file in the default storage.
        about: what it belongs to, for people.
        row: the row that names it, None for an orphan.
    """

    kind: str
    path: str
    about: str
    row: Any = None

    @property
    def is_loss(self) -> bool:
        """Return whether something that a row promises is not there."""
        return self.kind not in ("orphan", "whole")


@dataclass(frozen=True)
class _Check:
    """A row, its files, and what reads them all; `read` raises OSError or ValueError where they are not right."""

    row: Any
    about: str
    paths: tuple[str, ...]
    read: Callable[[], object]


def check_rows() -> Iterator[Problem | None]:
    """Check the files of every row, on all cores, and yield for each row its problem or None."""
    checks = _list_checks()
    with ThreadPoolExecutor(CORES, thread_name_prefix="check") as pool:
        waiting = [pool.submit(_run, check) for check in islice(checks, AHEAD)]
        while waiting:
            found = waiting.pop(0).result()
            waiting.extend(pool.submit(_run, check) for check in islice(checks, 1))
            yield found


def _run(check: _Check) -> Problem | None:
    try:
        check.read()
    except FileNotFoundError:
        return Problem("missing", check.paths[0], check.about, check.row)
    except StorageAway:
        raise
    except (OSError, ValueError, ArtifactCorrupt) as error:
        if find_outage(error):  # what cannot be read for a while is not lost
            return Problem("unreadable", check.paths[0], check.about, check.row)
        missing = [path for path in check.paths if not default_storage.exists(path)]
        kind = "missing" if missing else "damaged"
        return Problem(kind, (missing or check.paths)[0], check.about, check.row)
    if getattr(check.row, "damaged_at", None):
        return Problem("whole", check.paths[0], f"{check.about}, which was set aside", check.row)
    return None


def is_storage_there() -> bool:
    """Return whether any picture of a few has its file: none has where the folder of the files is not mounted."""
    images = Image.objects.filter(damaged_at=None)
    few = [*images.order_by("pk")[:PROBED], *images.order_by("-pk")[:PROBED]]
    return not few or any(default_storage.exists(image.path) for image in few)


def count_rows() -> int:
    """Return how many rows `check_rows` is going to check."""
    return sum(rows.count() for rows, _ in _SOURCES)


def _list_checks() -> Iterator[_Check]:
    for rows, check in _SOURCES:
        for row in rows.iterator(chunk_size=1000):
            yield check(row)


def _check_image(image: Image) -> _Check:
    return _Check(image, f"picture {image}", (image.path,), lambda: _read_with_sha256(image.path, image.sha256))


def _check_dataset(version: DatasetVersion) -> _Check:
    about = f"{version} of the project {version.project}"
    return _Check(version, about, (version.path,), lambda: _read_with_sha256(version.path, version.digest))


def _check_version(version: ModelVersion) -> _Check:
    def read() -> None:
        load_artifact(version.artifact_digest)
        load_evaluation(version.artifact_digest)

    names = [MANIFEST, HEAD, EVALUATION]
    if version.metrics.get("has_detector"):
        names.append(DETECTOR)
    paths = tuple(artifact_path(version.artifact_digest, name) for name in names)
    return _Check(version, f"{version} of the project {version.project}", paths, read)


def _check_export(export: Export) -> _Check:
    about = f"{export} of the project {export.model_version.project}"
    return _Check(export, about, (export.path,), lambda: _read_with_sha256(export.path, export.sha256))


def _check_event_files(job: Job) -> _Check:
    sha256 = job.state["event_files"]["sha256"]
    path = event_files_path(sha256)
    return _Check(job, f"event files of {job}", (path,), lambda: _read_with_sha256(path, sha256))


def _check_project_file(job: Job) -> _Check:
    sha256 = job.state["project_file"]["sha256"]
    path = project_file_path(sha256)
    return _Check(job, f"file of the project {job.project}", (path,), lambda: _hash_with_sha256(path, sha256))


def _check_backbone(custom: CustomBackbone) -> _Check:
    paths = tuple(backbone_file_path(custom.name, file) for file in custom.spec["files"])

    def read() -> None:
        files = {file: read_file(path) for file, path in zip(custom.spec["files"], paths, strict=True)}
        check_files(parse_spec(custom.spec["text"]), files)

    return _Check(custom, f"backbone {custom}", paths, read)


def _check_audit(audit: Audit) -> _Check:
    return _Check(audit, str(audit), (audit.path,), lambda: _read_with_sha256(audit.path, audit.digest))


def _check_shard(shard: EmbeddingShard) -> _Check:
    about = f"embeddings of {shard.count:,} pictures"
    return _Check(shard, about, (shard.path,), lambda: _read_with_sha256(shard.path, shard.sha256))


def _check_candidate(candidate: Candidate) -> _Check:
    return _Check(candidate, str(candidate), list_paths(candidate), lambda: read_files(candidate))


def _check_archive(job: Job) -> _Check:
    path = job.config["archive"]

    def read() -> None:
        if not default_storage.exists(path):
            raise FileNotFoundError(path)

    return _Check(job, f"archive of {job}", (path,), read)


def _check_partial(partial: PartialUpload) -> _Check:
    def read() -> None:
        if part_storage().received(partial.path, partial.parts) < partial.offset:
            raise ValueError("It is shorter than what was acknowledged.")

    return _Check(partial, f"unfinished upload {partial}", (partial.path,), read)


def _check_contribution(one: Contribution) -> _Check:
    return _Check(one, f"picture {one} sent by link", (one.path,), lambda: _read_with_sha256(one.path, one.sha256))


_partial = PartialUpload.objects.filter(upload=None, offset__gt=0)
_with_archive = Job.objects.filter(parent=None, config__has_key="archive", status__in=Job.OPEN)
_SOURCES: tuple[tuple[Any, Callable[[Any], _Check]], ...] = (
    (Image.objects.order_by("pk"), _check_image),
    (DatasetVersion.objects.select_related("project"), _check_dataset),
    (ModelVersion.every.select_related("project"), _check_version),
    (Export.objects.exclude(sha256="").select_related("model_version__project"), _check_export),
    (Job.objects.filter(state__has_key="event_files"), _check_event_files),
    (Job.objects.filter(state__has_key="project_file").select_related("project"), _check_project_file),
    (CustomBackbone.objects.exclude(name=""), _check_backbone),
    (Audit.objects.select_related("project"), _check_audit),
    (EmbeddingShard.objects.order_by("pk"), _check_shard),
    (Candidate.objects.exclude(artifact_digest="").select_related("project"), _check_candidate),
    (Contribution.objects.order_by("pk"), _check_contribution),
    (_with_archive, _check_archive),
    (_partial, _check_partial),
)


def _read_with_sha256(path: str, sha256: str) -> bytes:
    data = read_file(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError("The content is not what its name says.")
    return data


def _hash_with_sha256(path: str, sha256: str) -> None:
    """Do the same with what may be too large for the memory."""
    digest = hashlib.sha256()
    with default_storage.open(path) as file:
        for piece in pieces_of(file):
            digest.update(piece)
    if digest.hexdigest() != sha256:
        raise ValueError("The content is not what its name says.")


def list_orphans() -> Iterator[Problem]:
    """List the files that are older than a day and that no row names, and thumbnails of pictures that are gone."""
    named = _name_all()
    found = [path for path in list_files("") if path not in named and not path.startswith("hub/") and is_old(path)]
    if found:  # rows may have been made of some while others were looked at
        named = _name_all()
    for path in found:
        if path not in named:
            yield Problem("orphan", path, "a file that nothing refers to")


def is_old(path: str) -> bool:
    """Return whether nobody can be about to name a file: it has not been stored, nor stored again, for a day."""
    return _modified(path) < timezone.now() - ORPHAN_AGE


def _name_all() -> set[str]:
    thumbnails = (image.thumbnail_path(size) for image in _images() for size in THUMBNAIL_SIZES)
    return {*list_named_files(), *thumbnails}


def list_named_files(*, using: str = DEFAULT_DB_ALIAS) -> Iterator[str]:
    """List the paths of all files that rows name."""
    yield from (image.path for image in _images(using))
    for rows, check in _SOURCES[1:]:
        for row in rows.using(using).iterator(chunk_size=1000):
            yield from check(row).paths
    yield from Job.objects.using(using).filter(state__has_key="checkpoint").values_list("state__checkpoint", flat=True)


def _images(using: str = DEFAULT_DB_ALIAS) -> Iterator[Image]:
    return Image.objects.using(using).only("sha256").iterator(chunk_size=1000)


def list_files(folder: str) -> Iterator[str]:
    """List the paths of all files in a folder of the default storage and below it."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:  # nothing was ever stored, or it has just gone
        return
    prefix = f"{folder}/" if folder else ""
    yield from (prefix + name for name in files)
    for name in folders:
        yield from list_files(prefix + name)


def _modified(path: str) -> datetime:
    try:
        return default_storage.get_modified_time(path)
    except OSError:  # it has just gone
        return timezone.now()
