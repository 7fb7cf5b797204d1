"""Classify pictures with one backbone in memory and, beside it, the small heads of many projects."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from ml.engines.litert import Embedder
from ml.images.decoding import DEFAULT_LIMITS, ImageLimits, ImageRejected, load_picture
from ml.training.artifacts import Artifact


class ArtifactCache:
    """The most recently used artifacts by digest, up to `max_bytes` in total; one that is larger is held alone.

    Artifacts never change, so nothing needs to be invalidated. May be used from many threads.
    """

    def __init__(self, max_bytes: int) -> None:
        self._held: LRUCache[str, Artifact] = LRUCache(max_bytes, lambda artifact: min(_size_of(artifact), max_bytes))
        self._lock = threading.Lock()

    def get(self, digest: str, load: Callable[[], Artifact]) -> Artifact:
        """Return the artifact, loading it if it is not in the cache.

        Two threads may load the same artifact at once, which is harmless.
        """
        with self._lock:
            held: Artifact | None = self._held.get(digest)
        if held is None:
            held = load()
            with self._lock:
                self._held[digest] = held
        return held


def _size_of(artifact: Artifact) -> int:
    """Return the bytes in memory: the arrays, and roughly the manifest, whose confusion matrix grows with C x C."""
    classes = len(artifact.head.bias)
    manifest = 20_000 + 1_000 * classes + 8 * classes**2
    return artifact.head.weights.nbytes + artifact.head.bias.nbytes + manifest


def classify_pictures(
    pictures: Sequence[bytes], engine: Embedder, artifact: Artifact, limits: ImageLimits = DEFAULT_LIMITS
) -> list[NDArray[np.float32] | ImageRejected]:
    """Return, for each encoded picture, its probabilities, float32 (C,), or the reason why it could not be read."""
    decoded = [_decode(picture, engine, limits) for picture in pictures]
    good = [picture for picture in decoded if not isinstance(picture, ImageRejected)]
    if not good:
        return [picture for picture in decoded if isinstance(picture, ImageRejected)]
    batch = np.stack(good) if len(good) > 1 else good[0][np.newaxis]  # a single picture needs no copy
    answers = iter(artifact.head.probabilities(engine.embed(batch)))
    return [picture if isinstance(picture, ImageRejected) else next(answers) for picture in decoded]


def _decode(picture: bytes, engine: Embedder, limits: ImageLimits) -> NDArray[np.uint8] | ImageRejected:
    try:
        return load_picture(picture, engine.input_size, limits, engine.framing)
    except ImageRejected as error:
        return error
