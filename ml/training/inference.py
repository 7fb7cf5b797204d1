"""Classify pictures with one backbone in memory and, beside it, the small heads of many projects."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ml.engines.litert import Embedder
from ml.images.decoding import DEFAULT_LIMITS, ImageLimits, ImageRejected, load_picture
from ml.training.artifacts import Artifact


class ArtifactCache:
    """The most recently used artifacts by digest, up to `max_bytes` in total, or a single larger one.

    Artifacts never change, so nothing needs to be invalidated.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: OrderedDict[str, tuple[Artifact, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, digest: str, load: Callable[[], Artifact]) -> Artifact:
        """Return the artifact, loading it if it is not in the cache.

        Two threads may load the same artifact at once, which is harmless.
        """
        with self._lock:
            if digest in self._held:
                self._held.move_to_end(digest)
                return self._held[digest][0]
        artifact = load()
        with self._lock:
            self._hold(digest, artifact)
        return artifact

    def _hold(self, digest: str, artifact: Artifact) -> None:
        if digest in self._held:
            return
        size = _size_of(artifact)
        self._held[digest] = (artifact, size)
        self._bytes += size
        while self._bytes > self._max_bytes and len(self._held) > 1:
            _, (_, freed) = self._held.popitem(last=False)
            self._bytes -= freed


def _size_of(artifact: Artifact) -> int:
    """Return the bytes in memory: the arrays, and roughly the manifest, whose confusion matrix grows with C x C."""
    classes = len(artifact.head.bias)
    manifest = 20_000 + 1_000 * classes + 8 * classes**2
    return artifact.head.weights.nbytes + artifact.head.bias.nbytes + manifest


def classify_pictures(
    pictures: Sequence[bytes], engine: Embedder, artifact: Artifact, limits: ImageLimits = DEFAULT_LIMITS
) -> list[NDArray[np.float32] | ImageRejected]:
    """Return, for each encoded picture, its probabilities, float32 (C,), or the reason why it could not be read."""
    decoded = [_decode(picture, engine.input_size, limits) for picture in pictures]
    good = [picture for picture in decoded if not isinstance(picture, ImageRejected)]
    if not good:
        return [picture for picture in decoded if isinstance(picture, ImageRejected)]
    batch = np.stack(good) if len(good) > 1 else good[0][np.newaxis]  # a single picture needs no copy
    answers = iter(artifact.head.probabilities(engine.embed(batch)))
    return [picture if isinstance(picture, ImageRejected) else next(answers) for picture in decoded]


def _decode(picture: bytes, size: int, limits: ImageLimits) -> NDArray[np.uint8] | ImageRejected:
    try:
        return load_picture(picture, size, limits)
    except ImageRejected as error:
        return error
