"""Extract the features of several pictures of one request, of which any may be unreadable."""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ml.engines.litert import Embedder
from ml.images.budget import TooBusy
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
        return _each(pictures, lambda data, limits: inference().features(data, backbone, limits), limits)
    size, framing = backbone.input_size, backbone.framing
    read = _each(pictures, lambda data, limits: inference().pixels(data, size, limits, framing), limits)
    good = [picture for picture in read if not isinstance(picture, ImageRejected)]
    found = iter(backbone.embed(np.stack(good))) if good else iter(())
    return [picture if isinstance(picture, ImageRejected) else next(found) for picture in read]


def _each(
    pictures: Sequence[bytes], ask: Callable[[bytes, ImageLimits], Answer], limits: ImageLimits
) -> list[Answer | ImageRejected]:
    def answer(data: bytes, limits: ImageLimits = limits) -> Answer | ImageRejected:
        try:
            return ask(data, limits)
        except ImageRejected as error:
            return error

    def answer_at_once(data: bytes) -> Answer | ImageRejected | TooBusy:
        try:
            return answer(data, replace(limits, wait_seconds=0))
        except TooBusy as error:  # with the picture beside it, perhaps
            return error

    if len(pictures) == 1:
        return [answer(pictures[0])]
    # No more at a time than there are cores: a request with a hundred pictures leaves turns to others.
    found = list(_threads().map(answer_at_once, pictures))
    return [answer(data) if isinstance(one, TooBusy) else one for data, one in zip(pictures, found, strict=True)]


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CORES, thread_name_prefix="pictures")
