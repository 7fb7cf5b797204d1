"""Batches of pictures as the backbone sees them, decoded ahead on all cores; as many as fit stay in memory."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from ml.images.augmentation import Augmentation, load_stored
from ml.machine import CORES

BATCH = 16  # pictures; with 32, EfficientNet-Lite0 needs half a GB more and is no faster
AHEAD = 2  # batches
HELD = 2**27  # bytes of decoded pictures: 900 of 224 x 224. Decoding costs a twentieth of what training does

Wanted = tuple[str, Augmentation | None]  # a picture's sha256, and which augmented copy of it
Picture = NDArray[np.uint8]


class PictureFeed:
    """Use it in a `with`: its threads end there."""

    def __init__(self, read: Callable[[str], bytes], size: int, *, held: int = HELD) -> None:
        """`read` gives the file of a sha256, `size` is the backbone's (S), `held` the bytes to keep decoded."""
        self._read, self._size = read, size
        self._room = held // (3 * size * size)  # pictures
        self._kept: dict[Wanted, Picture] = {}
        self._pool = ThreadPoolExecutor(CORES, thread_name_prefix="decode")

    def __enter__(self) -> "PictureFeed":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def batches(self, wanted: Sequence[Wanted], batch: int = BATCH) -> Iterator[Picture]:
        """uint8 (n, S, S, 3) with n = `batch`, the last one smaller, in the order of `wanted`.

        Raises PictureUnreadable, and what `read` raises.
        """
        waiting: deque[list[Future[Picture]]] = deque()
        for start in range(0, len(wanted), batch):
            waiting.append([self._pool.submit(self._load, one) for one in wanted[start : start + batch]])
            if len(waiting) > AHEAD:
                yield _stack(waiting.popleft())
        while waiting:
            yield _stack(waiting.popleft())

    def _load(self, wanted: Wanted) -> Picture:
        """The first that come stay: who goes through all of them in turns gains nothing by throwing some out."""
        kept = self._kept.get(wanted)
        if kept is not None:
            return kept
        sha256, augmentation = wanted
        picture = load_stored(sha256, self._read, self._size, augmentation)
        if len(self._kept) < self._room:
            self._kept[wanted] = picture
        return picture


def _stack(batch: "list[Future[Picture]]") -> Picture:
    return np.stack([future.result() for future in batch])
