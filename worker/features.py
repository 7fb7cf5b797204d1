"""Compute features of a project's pictures within a job, for a backbone that was just made."""

import errno
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.jobs import reporting
from classifier.models import Image, Job, Sample
from classifier.models.image import image_path
from classifier.outages import raise_outage
from classifier.services import embeddings
from classifier.services.images import read_file
from ml.engines.embeddings import embed_pictures
from ml.engines.litert import Embedder
from ml.images.decoding import PictureUnreadable
from worker.throttle import Throttle


def read_picture_file(sha256: str) -> bytes:
    """Read a picture's file.

    Raise `PictureUnreadable` if the file is missing, `EmbeddingsMissing` if the picture was deleted, OSError if the
    storage is away.
    """
    try:
        return read_file(image_path(sha256))
    except OSError as error:
        raise_outage(error)
        if not Image.objects.filter(sha256=sha256).exists():
            raise embeddings.EmbeddingsMissing(embeddings.GONE) from error
        raise PictureUnreadable(sha256, f"Its file is missing from the storage ({_reason(error)}).") from error


def _reason(error: OSError) -> str:
    """Return what the system says. A bucket's FileNotFoundError has its own text alone, which is no user's."""
    return error.strerror or os.strerror(errno.ENOENT)


def find_sample(job: Job, sha256: str) -> Sample | None:
    """Return the job's sample that shows a picture, even if it was deleted, or None."""
    samples = Sample.objects.filter(project=job.project_id, image__sha256=sha256)
    return samples.select_related("image_class").first()


def describe_unreadable(sample: Sample | None, error: PictureUnreadable) -> str:
    """Say which picture cannot be read, and what to do about it."""
    of_class = f" of the class “{sample.image_class.name}”" if sample and sample.image_class else ""
    named = f"“{sample.file_name}”{of_class}" if sample else f"{error.sha256[:12]}…"
    return f"The picture {named} cannot be read. {error} Delete it, or upload it again, and start the job again."


def compute_features(job: Job, sha256s: Sequence[str], engine: Embedder) -> NDArray[np.float32]:
    """Return the pictures' features, float32 (N, F), in their order."""
    reporting.enter_stage(job, "extract", total=len(sha256s))
    throttle, found = Throttle(), []
    for _, vectors in embed_pictures(sha256s, read_picture_file, engine):
        found.append(vectors)
        if throttle.due():
            reporting.report(job, done=sum(map(len, found)))
    return np.concatenate(found) if found else np.empty((0, engine.features), np.float32)
