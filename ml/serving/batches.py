"""Extract the features of several pictures of one request, of which any may be unreadable."""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ml.engines.litert import Embedder
from ml.images.decoding import DEFAULT_LIMITS, ImageLimits, ImageRejected
from ml.machine import CORES
from ml.serving.current import inference
from ml.serving.inference import Network

Features = NDArray[np.float32]
Answer = TypeVar("Answer")


def extract_features(
    pictures: Sequence[bytes], backbone: Network | Embedder, limits: ImageLimits = DEFAULT_LIMITS
) -> list[Features | ImageRejected]:
    """Return the features (F,) of each encoded picture, or why it could not be read.

    What is no `Network` is an engine that takes pixels: one that runs elsewhere, or in a confined process of its own.
    """
    if isinstance(backbone, Network):
        return _each(pictures, lambda data: inference().features(data, backbone, limits))
    size, framing = backbone.input_size, backbone.framing
    read = _each(pictures, lambda data: inference().pixels(data, size, limits, framing))
    good = [picture for picture in read if not isinstance(picture, ImageRejected)]
    found = iter(backbone.embed(np.stack(good))) if good else iter(())
    return [picture if isinstance(picture, ImageRejected) else next(found) for picture in read]


def _each(pictures: Sequence[bytes], ask: Callable[[bytes], Answer]) -> list[Answer | ImageRejected]:
    def answer(data: bytes) -> Answer | ImageRejected:
        try:
            return ask(data)
        except ImageRejected as error:
            return error

    # No more at a time than there are cores: a request with a hundred pictures leaves turns to others.
    return [answer(pictures[0])] if len(pictures) == 1 else list(_threads().map(answer, pictures))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CORES, thread_name_prefix="pictures")
