"""A project's pictures through a backbone that was just made, in the job itself."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifier.jobs import lifecycle
from classifier.models import Image, Job
from classifier.models.image import image_path
from classifier.services import embeddings
from classifier.services.images import read_file
from ml.engines.embeddings import embed_pictures
from ml.engines.litert import Embedder
from worker.throttle import Throttle


class PictureMissing(Exception):
    """The message is a sentence for the user."""


def read_picture_file(sha256: str) -> bytes:
    """A picture's file. Raises PictureMissing, EmbeddingsMissing."""
    try:
        return read_file(image_path(sha256))
    except OSError as error:
        if not Image.objects.filter(sha256=sha256).exists():
            raise embeddings.EmbeddingsMissing(embeddings.GONE) from error
        raise PictureMissing(
            f"The file of the picture {sha256[:12]}… is missing from the storage ({error.strerror}). "
            "Upload it again, or delete it from the project."
        ) from error


def answer_pictures(job: Job, sha256s: Sequence[str], engine: Embedder) -> NDArray[np.float32]:
    """The pictures' features (N, F), in their order."""
    lifecycle.enter_stage(job, "answer", total=len(sha256s))
    throttle, found = Throttle(), []
    for _, vectors in embed_pictures(sha256s, read_picture_file, engine):
        found.append(vectors)
        if throttle.due():
            lifecycle.report(job, done=sum(map(len, found)))
    return np.concatenate(found) if found else np.empty((0, engine.features), np.float32)
