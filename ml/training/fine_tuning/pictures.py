"""Provide batches of pictures as the backbone sees them, decoded ahead on all cores and cached in memory."""

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
HELD = 2**27  # bytes of decoded pictures: 900 of 224 x 224. Decoding costs a twentieth of the training

Wanted = tuple[str, Augmentation | None]  # a picture's sha256, and which augmented copy of it
Picture = NDArray[np.uint8]


class PictureFeed:
    """A source of batches, to be used in a `with` statement, at whose end its threads stop."""

    def __init__(self, read: Callable[[str], bytes], size: int, *, held: int = HELD) -> None:
        """Make a feed that keeps at most `held` bytes of decoded pictures.

        `read` returns the file with a sha256; `size` is the backbone's input size in pixels (S).
        """
        self._read, self._size = read, size
        self._room = held // (3 * size * size)  # pictures
        self._kept: dict[Wanted, Picture] = {}
        self._pool = ThreadPoolExecutor(CORES, thread_name_prefix="decode")

    def __enter__(self) -> "PictureFeed":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def batches(self, wanted: Sequence[Wanted], batch: int = BATCH) -> Iterator[Picture]:
        """Yield uint8 (n, S, S, 3) in the order of `wanted`, with n = `batch` except for a smaller last one.

        Raise `PictureUnreadable`, and whatever `read` raises.
        """
        waiting: deque[list[Future[Picture]]] = deque()
        for start in range(0, len(wanted), batch):
            waiting.append([self._pool.submit(self._load, one) for one in wanted[start : start + batch]])
            if len(waiting) > AHEAD:
                yield _stack(waiting.popleft())
        while waiting:
            yield _stack(waiting.popleft())

    def _load(self, wanted: Wanted) -> Picture:
        """Load a picture, keeping those that come first.

        As all pictures are used in turns, replacing kept ones by later ones would gain nothing.
        """
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
