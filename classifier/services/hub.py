"""Model versions and backbones at addresses that `hub.load` understands, and links that open one to everybody."""

import hashlib
import secrets
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import IO, Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.utils import timezone

from classifier.jobs.kinds import HUB
from classifier.jobs.sending import queue_job
from classifier.models import Export, Job, ModelVersion, PublicLink
from classifier.services.audit_log import record
from classifier.services.exports import open_export
from ml.backbones.backbone import Backbone
from ml.errors import Conflict, Unavailable
from ml.exports.tf_hub import MODEL, pack_tar

FORMAT = "tf_hub"
FILE_VERSION = 1  # 1: the first. Raise it when the files of backbones are made in another way
RETRY_SECONDS = 15
FAILURE_COUNTS = timedelta(minutes=5)  # until a backbone that could not be made is tried again


class NotMadeYet(Conflict):
    """The file is not there; the message says what to do."""


class BeingMade(Unavailable):
    """The file is not there yet; the message says why."""


def find_versions(slug: str, name: str) -> QuerySet[ModelVersion]:
    """Find the version of that number, or with that alias: one row or none, regardless of who may see it."""
    versions = ModelVersion.objects.filter(project__slug=slug, project__deleted_at=None)
    if name.isascii() and name.isdigit():
        return versions.filter(number=int(name[:9]))
    return versions.filter(aliases__name=name)


def create_public_link(version: ModelVersion, *, by: User) -> PublicLink:
    """Return the version's link, the same one until it is revoked. Its 256 random bits cannot be guessed."""
    made = {"token": secrets.token_urlsafe(32), "created_by": by}
    link, is_new = PublicLink.objects.get_or_create(model_version=version, defaults=made)
    if is_new:
        record("public_link.created", version.project, by=by, version=version.number)
    return link


def revoke_public_link(version: ModelVersion) -> None:
    if PublicLink.objects.filter(model_version=version).delete()[0]:
        record("public_link.revoked", version.project, version=version.number)


def open_version(version: ModelVersion) -> IO[bytes]:
    """Open the tar.gz that TensorFlow Hub downloads. Raise NotMadeYet, and OSError if the storage has lost it."""
    export = Export.objects.filter(model_version=version, format=FORMAT).exclude(sha256="").first()
    if export is None:
        raise NotMadeYet(
            f"Version {version.number} has no file for TensorFlow Hub yet. Press "
            "“Create the file” next to TensorFlow Hub on its page, "
            'or ask the API for an export with the format "tf_hub".'
        )
    target = tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115 - closed with the answer
    with open_export(export) as stored, zipfile.ZipFile(stored) as archive:
        pack_tar(_files_of_model(archive), target)
    target.seek(0)
    return target


def _files_of_model(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    for name in archive.namelist():
        _, folder, *rest = name.split("/")
        if folder == MODEL and rest:
            yield "/".join(rest), archive.read(name)


def open_backbone(backbone: Backbone) -> "File[bytes]":
    """Open the tar.gz that TensorFlow Hub downloads. If there is none, queue its job and raise BeingMade."""
    path = backbone_path(backbone)
    if default_storage.exists(path):
        return default_storage.open(path)
    # Nobody's job: it is made for all. Two that ask in the same moment may queue two; the second finds the file.
    last = Job.objects.filter(kind=HUB.name, config__backbone=backbone.name).first()
    if last is not None and last.status == Job.Status.FAILED and _is_fresh(last):
        raise BeingMade(f"The file could not be created. {last.error}")
    if last is None or not last.is_open:
        queue_job(HUB, project=None, by=None, config={"backbone": backbone.name})
    raise BeingMade("A worker is creating the file, which takes about a minute. Please try again then.")


def _is_fresh(job: Job) -> bool:
    return job.finished_at is not None and timezone.now() - job.finished_at < FAILURE_COUNTS


def backbone_path(backbone: Backbone) -> str:
    """Return a path made from all that decides the file's content; the weights need not be on this machine."""
    said: list[Any] = [backbone.name, backbone.version, backbone.input_size, backbone.source, FILE_VERSION]
    return f"hub/{hashlib.sha256(repr(said).encode()).hexdigest()}.tar.gz"


def store_backbone(backbone: Backbone, file: IO[bytes]) -> None:
    default_storage.save(backbone_path(backbone), File(file))
