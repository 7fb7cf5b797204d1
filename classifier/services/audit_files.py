"""The file of an audit: of each picture a vector to look for similar ones by, and its place on the map."""

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from django.core.files.storage import default_storage
from django.db import transaction
from numpy.typing import NDArray

from classifier.models import Audit, Job
from classifier.services.images import read_file
from classifier.storage import store_once
from ml.audit.learning_curve import LearningCurve
from ml.errors import Unavailable

FORMAT_VERSION = 1  # 1: the first


class AuditUnreadable(Unavailable):
    """The file is missing or damaged. The message is a sentence for the user."""

    def __init__(self) -> None:
        super().__init__("The file of the last check cannot be read. Check the pictures again.")


@dataclass(frozen=True)
class AuditArrays:
    """What the file holds, a row for each sample.

    Attributes:
        samples: ids, int64 (N,), rising.
        vectors: float16 (N, D), of length 1.
        positions: float32 (N, 2), from -1 to 1.
    """

    samples: NDArray[np.int64]
    vectors: NDArray[np.float16]
    positions: NDArray[np.float32]


def no_arrays() -> AuditArrays:
    """Return the arrays of a project whose pictures have not been checked."""
    return AuditArrays(np.empty(0, np.int64), np.empty((0, 0), np.float16), np.empty((0, 2), np.float32))


def store_audit_file(arrays: AuditArrays) -> str:
    """Put the arrays on the disk, and return the digest that names the file."""
    buffer = io.BytesIO()
    version = np.array(FORMAT_VERSION)
    np.savez(buffer, version=version, samples=arrays.samples, vectors=arrays.vectors, positions=arrays.positions)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    store_once(Audit(digest=digest).path, buffer.getvalue())
    return digest


def name_audit_file(job: Job, digest: str, *, key: str, samples: int, curve: LearningCurve) -> None:
    """Let the project's row name the file. Call it in the transaction that ends the job; the old file goes after it."""
    project = job.own_project
    old = Audit.objects.filter(project=project).values_list("digest", flat=True).first()
    made = {"job": job, "digest": digest, "key": key, "samples": samples, "created_at": job.started_at}
    made["learning_curve"] = curve.model_dump()
    Audit.objects.update_or_create(project=project, defaults=made)
    if old and old != digest:
        transaction.on_commit(lambda: _delete_unused(old))


def _delete_unused(digest: str) -> None:
    if not Audit.objects.filter(digest=digest).exists():  # two projects may have the same pictures
        default_storage.delete(Audit(digest=digest).path)


def load_audit_file(audit: Audit) -> AuditArrays:
    """Load the arrays. Raise AuditUnreadable."""
    try:
        with np.load(io.BytesIO(read_file(audit.path)), allow_pickle=False) as file:
            if int(file["version"]) != FORMAT_VERSION:
                raise AuditUnreadable
            return AuditArrays(file["samples"], file["vectors"], file["positions"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise AuditUnreadable from error
