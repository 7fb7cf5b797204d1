"""Classify pictures with one backbone in memory and, beside it, the small heads of many projects."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from ml.images.decoding import ImageRejected
from ml.training.artifacts import Artifact
from ml.training.rejection import Reason


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
    classes, detector = len(artifact.head.bias), artifact.rejection.detector
    manifest = 20_000 + 1_000 * classes + 8 * classes**2
    arrays = artifact.head.weights.nbytes + artifact.head.bias.nbytes + (detector.nbytes if detector else 0)
    return arrays + manifest


@dataclass(frozen=True)
class Classified:
    """What a model version says of a picture.

    Attributes:
        probabilities: of the classes, float32 (C,).
        reason: why it is none of these, if it is.
        likeness: to the pictures it was trained on, -1 to 1; None if that is unknown.
    """

    probabilities: NDArray[np.float32]
    reason: Reason = Reason.NONE
    likeness: float | None = None


def classify_features(
    found: Sequence[NDArray[np.float32] | ImageRejected], artifact: Artifact
) -> list[Classified | ImageRejected]:
    """Classify pictures by their features; what could not be read stays so."""
    good = [features for features in found if not isinstance(features, ImageRejected)]
    answers = iter(classify_matrix(np.array(good), artifact) if good else ())
    return [features if isinstance(features, ImageRejected) else next(answers) for features in found]


def classify_matrix(features: NDArray[np.float32], artifact: Artifact) -> list[Classified]:
    """Classify pictures by their features, (N, F)."""
    probabilities, likeness = artifact.head.probabilities(features), artifact.rejection.likeness(features)
    reasons = artifact.rejection.judge(probabilities, likeness)
    known = [None] * len(reasons) if likeness is None else likeness.tolist()
    return [Classified(*answer) for answer in zip(probabilities, reasons, known, strict=True)]
