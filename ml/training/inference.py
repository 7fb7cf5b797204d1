"""Classify pictures with one backbone in memory and, beside it, the small heads of many projects."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from ml.images.decoding import ImageRejected
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


def classify_features(
    found: Sequence[NDArray[np.float32] | ImageRejected], artifact: Artifact
) -> list[NDArray[np.float32] | ImageRejected]:
    """Return the probabilities, float32 (C,), for the features of each picture; what could not be read stays so."""
    good = [features for features in found if not isinstance(features, ImageRejected)]
    answers = iter(artifact.head.probabilities(np.stack(good)) if good else ())
    return [features if isinstance(features, ImageRejected) else next(answers) for features in found]
