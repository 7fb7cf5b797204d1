"""What may be asked about the bytes of a picture, and the answers computed in this process."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.engines.feature_maps import FeatureMapEngine
from ml.engines.litert import AS_IT_IS, Adapter, LiteRTEngine
from ml.images.decoding import (
    DEFAULT_LIMITS,
    ImageFacts,
    ImageLimits,
    load_picture,
    make_thumbnail,
    verify_image,
)
from ml.images.heat import make_overlay
from ml.images.rendering import Framing
from ml.serving.stages import DECODE, NETWORK, tell_stage

# Loading one takes a tenth of a second and 60 MB. Most sites use one; who tries a second must not wait each time.
BACKBONES_HELD = 2


@dataclass(frozen=True)
class Network:
    """A converted backbone that can be run here: a file of ours, and what goes in and comes out."""

    file: Path
    adapter: Adapter = AS_IT_IS
    framing: Framing = Framing.WHOLE


@dataclass(frozen=True)
class Overlay:
    """How heat is laid over a picture: what the network sees of it, the kind of the file, and the picture's limits."""

    framing: Framing = Framing.WHOLE
    kind: str = "JPEG"
    limits: ImageLimits = DEFAULT_LIMITS


class Inference(Protocol):
    """What may be asked about an encoded picture. All raise `ImageRejected`, and `Unavailable` if it may work later."""

    def verify(self, data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> ImageFacts:
        """Do what `verify_image` does."""

    def thumbnail(self, data: bytes, size: int, limits: ImageLimits = DEFAULT_LIMITS) -> bytes:
        """Do what `make_thumbnail` does."""

    def pixels(
        self, data: bytes, size: int, limits: ImageLimits = DEFAULT_LIMITS, framing: Framing = Framing.WHOLE
    ) -> NDArray[np.uint8]:
        """Do what `load_picture` does."""

    def features(self, data: bytes, network: Network, limits: ImageLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
        """Return the float32 features (F,) of the picture."""

    def feature_map(self, data: bytes, network: Network, limits: ImageLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
        """Return the float32 features (H, W, F) at the places of the picture. Raise `NoFeatureMap`."""

    def overlay(self, data: bytes, warmth: NDArray[np.float32], size: int, how: Overlay) -> bytes:
        """Do what `make_overlay` does."""


class LocalInference:
    """Inference in this process, with engines that are loaded when they are first needed."""

    def __init__(self, threads: Callable[[], int] = lambda: 1) -> None:
        """Ask `threads` before each picture how many processor cores to use for it."""
        self._threads = threads
        # Of each backbone one engine with all threads and one with a single one.
        self._engine = functools.lru_cache(maxsize=2 * BACKBONES_HELD)(_load)
        self._map_engine = functools.lru_cache(maxsize=2)(_load_map)

    def verify(self, data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> ImageFacts:
        return verify_image(data, limits)

    def thumbnail(self, data: bytes, size: int, limits: ImageLimits = DEFAULT_LIMITS) -> bytes:
        return make_thumbnail(data, size, limits)

    def pixels(
        self, data: bytes, size: int, limits: ImageLimits = DEFAULT_LIMITS, framing: Framing = Framing.WHOLE
    ) -> NDArray[np.uint8]:
        return load_picture(data, size, limits, framing)

    def features(self, data: bytes, network: Network, limits: ImageLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
        found, decoding, running = self.timed_features(data, network, limits)
        tell_stage(DECODE, decoding)
        tell_stage(NETWORK, running)
        return found

    def timed_features(
        self, data: bytes, network: Network, limits: ImageLimits
    ) -> tuple[NDArray[np.float32], float, float]:
        """Return the features, and the seconds that decoding the picture and running the network took."""
        engine = self._engine(network, self._threads())
        begun = time.perf_counter()
        picture = load_picture(data, engine.input_size, limits, network.framing)
        decoded = time.perf_counter()
        found: NDArray[np.float32] = engine.embed(picture[np.newaxis])[0]
        return found, decoded - begun, time.perf_counter() - decoded

    def feature_map(self, data: bytes, network: Network, limits: ImageLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
        engine = self._map_engine(network, self._threads())
        return engine.feature_map(load_picture(data, engine.input_size, limits, network.framing))

    def overlay(self, data: bytes, warmth: NDArray[np.float32], size: int, how: Overlay) -> bytes:
        return make_overlay(data, warmth, size, how.limits, how.framing, how.kind)


def _load_map(network: Network, threads: int) -> FeatureMapEngine:
    return FeatureMapEngine(network.file, threads=threads, adapter=network.adapter)


def _load(network: Network, threads: int) -> LiteRTEngine:
    return LiteRTEngine(network.file, threads=threads, adapter=network.adapter)
