"""Compute embeddings of pictures: one thread decodes ahead while another runs the backbone."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ml.engines.litert import Embedder
from ml.images.augmentation import Augmentation, load_stored
from ml.images.decoding import PREPROCESSING_VERSION

# Is shown each picture as it was decoded: its sha256, its file, and the pixels (S, S, 3). It is called in a thread.
Watch = Callable[[str, bytes, NDArray[np.uint8]], None]

BATCH = 8  # the forward pass gains nothing from more, and a small batch keeps cancelling quick


def embedding_key(backbone_digest: str, augmentation: Augmentation | None = None) -> str:
    """Return the key of an embedding beside its image's sha256.

    The key changes with the backbone, the preprocessing version and the augmentation.
    """
    plain = f"{backbone_digest[:40]}-p{PREPROCESSING_VERSION}"
    return plain if augmentation is None else f"{plain}-{augmentation.marker}"


class SideBySide:
    """Several engines that see the same pictures, so that each is decoded once."""

    def __init__(self, engines: Sequence[Embedder]) -> None:
        self.engines = engines
        self.input_size, self.framing = engines[0].input_size, engines[0].framing
        self.features = sum(engine.features for engine in engines)

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of all engines, one after the other."""
        return np.concatenate([engine.embed(pictures) for engine in self.engines], axis=1)

    def split(self, features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the features of each engine."""
        return np.split(features, np.cumsum([engine.features for engine in self.engines])[:-1], axis=1)


def combine_members(features: Sequence[NDArray[np.float32]], weights: Sequence[float]) -> NDArray[np.float32]:
    """Return the features of a backbone from those of its members, each (N, F) with its weight.

    Its own network multiplies before it averages over the places, so that it rounds otherwise in the last digit.
    """
    return np.concatenate([part * np.float32(weight) for part, weight in zip(features, weights, strict=True)], axis=1)


def embed_pictures(
    sha256s: Sequence[str],
    read: Callable[[str], bytes],
    engine: Embedder,
    *,
    augmentation: Augmentation | None = None,
    batch: int = BATCH,
    watch: Watch | None = None,
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Yield (sha256s, float32 features (n, F)) for successive batches of pictures, or of an augmented copy of each.

    `read` returns the file with a sha256; reading and decoding run at most two batches ahead of the forward pass. Raise
    `PictureUnreadable`, and whatever `read` raises.
    """
    groups = [sha256s[start : start + batch] for start in range(0, len(sha256s), batch)]
    waiting: deque[tuple[Sequence[str], Future[NDArray[np.uint8]]]] = deque()
    decoder = ThreadPoolExecutor(1, thread_name_prefix="decode")
    try:
        for group in groups:
            waiting.append((group, decoder.submit(_decode, group, read, engine, augmentation, watch)))
            if len(waiting) > 2:
                yield _forward(engine, *waiting.popleft())
        while waiting:
            yield _forward(engine, *waiting.popleft())
    finally:
        # After an error, or when the caller closes the iterator, only the batch in hand is finished.
        decoder.shutdown(wait=True, cancel_futures=True)


def _decode(
    group: Sequence[str],
    read: Callable[[str], bytes],
    engine: Embedder,
    augmentation: Augmentation | None,
    watch: Watch | None,
) -> NDArray[np.uint8]:
    return np.stack([_load(sha256, read, engine, augmentation, watch) for sha256 in group])


def _load(
    sha256: str,
    read: Callable[[str], bytes],
    engine: Embedder,
    augmentation: Augmentation | None,
    watch: Watch | None,
) -> NDArray[np.uint8]:
    data = read(sha256)
    picture = load_stored(sha256, lambda _: data, engine.input_size, augmentation, engine.framing)
    if watch is not None:
        watch(sha256, data, picture)
    return picture


def _forward(
    engine: Embedder, group: Sequence[str], pictures: "Future[NDArray[np.uint8]]"
) -> tuple[list[str], NDArray[np.float32]]:
    return list(group), engine.embed(pictures.result())
