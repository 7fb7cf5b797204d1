"""embeddings -> the pictures that a model version was trained on and that look most like one: "because of these"."""

import heapq
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from classifier.models import Embedding, ModelVersion, Sample
from classifier.prepared import any_of
from classifier.selectors import class_names, samples_of_images
from classifier.services.custom_backbones import find_backbone
from classifier.services.datasets import load_dataset
from classifier.services.shards import ShardLost, read_vectors
from ml.datasets.splits import TRAINING
from ml.engines.embeddings import embedding_key

MOST = 5
_SPARE = 20  # of those found, for pictures that are in the trash by now
_PART = 2000  # pictures that are read at once
HELD_BYTES = (
    48 * 2**20
)  # of embeddings kept in each web process: of 18,000 pictures; larger trainings are read each time

Vectors = NDArray[np.float16]


@dataclass(frozen=True)
class _Part:
    """Some pictures that a version was trained on.

    Attributes:
        rows: (sha256, place of its class) of each.
        vectors: their embeddings, each of length 1, (N, F).
    """

    rows: list[tuple[str, int]]
    vectors: Vectors


@dataclass(frozen=True)
class SimilarPicture:
    """A picture that a version was trained on.

    Attributes:
        class_name: the class it was trained as, by its name of today.
        likeness: the cosine of the angle between the embeddings, -1 to 1.
    """

    sample: Sample
    class_name: str
    likeness: float


_lock = threading.Lock()  # two threads may read the same at once, which is harmless
_held: LRUCache[tuple[int, str], list[_Part]] = LRUCache(
    HELD_BYTES, lambda parts: sum(part.vectors.nbytes for part in parts)
)


def list_similar_training_pictures(
    version: ModelVersion, features: NDArray[np.float32], *, but: str = ""
) -> list[SimilarPicture]:
    """List the training pictures whose embeddings are most like `features` (F,), the most similar first.

    The picture with the sha256 `but` is left out. Only pictures count that the project still has. Raise DatasetCorrupt,
    BackboneMissing, OSError.
    """
    wanted = (features / max(float(np.linalg.norm(features)), 1e-12)).astype(np.float32)
    nearest = heapq.nlargest(_SPARE, _compare(version, wanted, but))
    found = {sample.image.sha256: sample for sample in samples_of_images(version.project, [one[1] for one in nearest])}
    names = class_names(version)
    kept = [(found[sha256], place, likeness) for likeness, sha256, place in nearest if sha256 in found]
    return [SimilarPicture(sample, names[place], round(likeness, 4)) for sample, place, likeness in kept[:MOST]]


def _compare(version: ModelVersion, wanted: NDArray[np.float32], but: str) -> Iterator[tuple[float, str, int]]:
    """Yield likeness, sha256 and class of those of each part that may be among the most similar."""
    for part in _parts(version):
        likeness = part.vectors.astype(np.float32) @ wanted
        for row in np.argsort(-likeness, kind="stable")[: _SPARE + 1]:
            sha256, place = part.rows[row]
            if sha256 != but:
                yield float(likeness[row]), sha256, place


def _parts(version: ModelVersion) -> Iterable[_Part]:
    backbone = find_backbone(version.backbone)
    place = (version.dataset_version_id, embedding_key(backbone.digest))
    with _lock:
        held = _held.get(place)
    if held is not None:
        return held
    rows = [(sha256, label) for sha256, label, split in load_dataset(version.dataset_version).rows if split == TRAINING]
    if len(rows) * backbone.features * 2 > HELD_BYTES:
        return _read(rows, place[1])
    parts = list(_read(rows, place[1]))
    if sum(len(part.rows) for part in parts) == len(rows):  # else some are still to be computed
        with _lock:
            _held[place] = parts
    return parts


def _read(rows: list[tuple[str, int]], key: str) -> Iterator[_Part]:
    for start in range(0, len(rows), _PART):
        places = dict(rows[start : start + _PART])
        kept = Embedding.objects.filter(key=key, image__sha256__in=any_of(list(places)))
        try:
            found = list(read_vectors([kept], "image__sha256"))
        except ShardLost:
            continue
        if found:
            vectors = np.stack([vector for _, vector in found])
            lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            yield _Part([(sha256, places[sha256]) for sha256, _ in found], (vectors / lengths).astype(np.float16))
