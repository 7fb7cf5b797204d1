"""Store features in a folder under the picture's content and the backbone, so that they are never stale."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.cli.photos import Photo
from ml.engines.litert import Embedder
from ml.files import write_atomically
from ml.images.augmentation import Augmentation, load_augmented
from ml.images.decoding import ImageRejected
from ml.machine import CORES

GROUP = 8  # pictures handed to a thread at a time


class Bottlenecks:
    """A folder of features, float32 (F,), with one file per picture."""

    def __init__(self, folder: Path, key: str, features: int) -> None:
        self._folder, self._features = folder / key, features

    def load(self, sha256: str) -> NDArray[np.float32] | None:
        """Return the features, or None if there are none or the file is damaged."""
        try:
            vector = np.fromfile(self._path(sha256), "<f4")
        except OSError:
            return None
        whole = vector.shape == (self._features,) and np.isfinite(vector).all()
        return vector if whole and vector.any() else None  # a power cut may leave zeros

    def save(self, sha256: str, vector: NDArray[np.float32]) -> None:
        """Write the features, completely or not at all."""
        write_atomically(self._path(sha256), vector.astype("<f4").tobytes(), durable=False)

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / f"{sha256}.f32"


def fill(
    bottlenecks: Bottlenecks,
    photos: list[Photo],
    read: Callable[[Photo], bytes],
    load: Callable[[], Embedder],
    warn: Callable[[str], None],
    augmentation: Augmentation | None = None,
) -> Iterator[int]:
    """Compute the features of pictures, or of an augmented copy of each, with an engine on each core.

    Yield how many are done. Warn of a file that is not a picture and skip it; `load` then still returns None.
    """
    engines = threading.local()

    def compute(group: list[Photo]) -> list[str]:
        if not hasattr(engines, "own"):
            engines.own = load()
        return [said for photo in group if (said := _compute(bottlenecks, photo, read, engines.own, augmentation))]

    groups = [photos[start : start + GROUP] for start in range(0, len(photos), GROUP)]
    with ThreadPoolExecutor(CORES, thread_name_prefix="embed") as pool:
        for number, said in enumerate(pool.map(compute, groups), start=1):
            for line in said:
                warn(line)
            yield min(number * GROUP, len(photos))


def _compute(
    bottlenecks: Bottlenecks,
    photo: Photo,
    read: Callable[[Photo], bytes],
    engine: Embedder,
    augmentation: Augmentation | None,
) -> str:
    try:
        picture = load_augmented(read(photo), engine.input_size, augmentation, engine.framing)
    except ImageRejected as error:
        return f"{photo.name}: {error}"
    bottlenecks.save(photo.sha256, engine.embed(picture[np.newaxis])[0])
    return ""
