"""dataset version -> embeddings: what is missing, what was computed, and the matrices the head is trained on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
from django.core.cache import cache
from django.db import connection
from numpy.typing import NDArray
from redis.exceptions import RedisError

from classifier.models import Embedding, Image
from classifier.services.images import insert_for_images
from classifier.services.shards import read_vectors
from ml.backbones.backbone import Backbone
from ml.datasets.dataset import Dataset
from ml.datasets.splits import SPLITS, TRAINING
from ml.engines.embeddings import embedding_key
from ml.errors import Conflict
from ml.images.augmentation import Augmentation


class EmbeddingsMissing(Conflict):
    """A picture or its embedding went while it was needed. The message is a sentence for the user."""


GONE = "Pictures were permanently deleted while the training was running. Please train again."
REUSE = "embeddings-reused"
SLICE = 5000  # SQLite takes at most 32,766 parameters a statement


def list_missing(sha256s: Sequence[str], key: str) -> list[int]:
    """List the ids of the images without an embedding under this key, in the order given. Raise EmbeddingsMissing."""
    missing: list[int] = []
    for start in range(0, len(sha256s), SLICE):
        part = sha256s[start : start + SLICE]
        ids = dict(Image.objects.filter(sha256__in=part).values_list("sha256", "pk"))
        if len(ids) != len(part):
            raise EmbeddingsMissing(GONE)
        there = Embedding.objects.filter(key=key, image__in=ids.values()).values_list("image_id", flat=True)
        known = set(there)
        missing.extend(ids[sha256] for sha256 in part if ids[sha256] not in known)
    return missing


def count_reuse(wanted: int, missing: int) -> None:
    """Count how many of the wanted embeddings were there already: in the cache, as workers on all machines count."""
    for result, count in (("hit", wanted - missing), ("miss", missing)):
        with suppress(RedisError):  # figures for whoever watches are not worth a job
            cache.add(f"{REUSE}:{result}", 0, None)
            cache.incr(f"{REUSE}:{result}", count)


def read_reuse() -> dict[str, int]:
    """Return what has been counted since the cache was last emptied. Raise RedisError."""
    found = cache.get_many([f"{REUSE}:{result}" for result in ("hit", "miss")])
    return {result: int(found.get(f"{REUSE}:{result}", 0)) for result in ("hit", "miss")}


def list_images_without(image_ids: Sequence[int], key: str) -> list[Image]:
    """List those of these images that still lack an embedding."""
    done = Embedding.objects.filter(key=key, image__in=image_ids).values("image")
    return list(Image.objects.filter(pk__in=image_ids).exclude(pk__in=done).order_by("pk"))


@contextmanager
def unsynced_commits() -> Iterator[None]:
    """Let the commits of the block wait for no disk, because what they write can be computed again (SQLite).

    The next commit outside of the block puts them on the disk as well.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    _execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        _execute("PRAGMA synchronous=FULL")


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def store_embeddings(images: Sequence[Image], vectors: NDArray[np.float32], key: str) -> None:
    """Keep the vectors, (N, F), for ever. One that somebody else stored meanwhile stays as it is."""
    rows = [(image.pk, key, vector.astype("<f4").tobytes()) for image, vector in zip(images, vectors, strict=True)]
    insert_for_images(Embedding, ("image_id", "key", "vector"), rows)


def store_features(sha256s: Sequence[str], vectors: NDArray[np.float32], key: str) -> None:
    """Keep the vectors, (N, F), of those of the pictures that have not been deleted meanwhile."""
    for start in range(0, len(sha256s), SLICE):
        part = sha256s[start : start + SLICE]
        images = {image.sha256: image for image in Image.objects.filter(sha256__in=part)}
        kept = [place for place, sha256 in enumerate(part) if sha256 in images]
        store_embeddings([images[part[place]] for place in kept], vectors[start : start + SLICE][kept], key)


def load_features(
    dataset: Dataset, backbone: Backbone, augmentations: Sequence[Augmentation]
) -> dict[str, NDArray[np.float32]]:
    """Load the features of each split, as `ml.training.pipeline.train` takes them. Raise EmbeddingsMissing."""
    plain = embedding_key(backbone.digest)
    keys = {TRAINING: [plain, *(embedding_key(backbone.digest, augmentation) for augmentation in augmentations)]}
    return {
        split: load_embeddings(dataset.sha256s(split), keys.get(split, [plain]), backbone.features) for split in SPLITS
    }


def load_embeddings(sha256s: Sequence[str], keys: Sequence[str], features: int) -> NDArray[np.float32]:
    """Load the matrix (K * N, features): for each of the K keys the N pictures, in the order of `sha256s`.

    It is filled in place, so that nothing of its size is in memory beside it. Raise EmbeddingsMissing.
    """
    matrix = np.empty((len(keys), len(sha256s), features), np.float32)
    place = {sha256: row for row, sha256 in enumerate(sha256s)}
    for block, key in zip(matrix, keys, strict=True):
        _fill(block, place, key)
    return matrix.reshape(-1, features)


def _fill(block: NDArray[np.float32], place: dict[str, int], key: str) -> None:
    sha256s, found = list(place), 0
    parts = (sha256s[start : start + SLICE] for start in range(0, len(sha256s), SLICE))
    stored = (Embedding.objects.filter(key=key, image__sha256__in=part) for part in parts)
    for sha256, vector in read_vectors(stored, "image__sha256"):
        block[place[sha256]] = vector
        found += 1
    if found != len(sha256s):
        raise EmbeddingsMissing(GONE)
