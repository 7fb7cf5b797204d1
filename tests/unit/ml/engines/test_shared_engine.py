"""Test many threads with one backbone: a single request has all cores, simultaneous ones have one each."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.engines.shared import SharedEngine
from ml.images.rendering import Framing

PICTURE = np.zeros((1, 4, 4, 3), np.uint8)


class Loader:
    """A loader of engines that wait until they are released, and that note who uses them."""

    def __init__(self) -> None:
        self.loaded: list[int] = []
        self.gate = threading.Event()
        self.running: list[int] = []
        self.entered = threading.Semaphore(0)

    def __call__(self, threads: int) -> "Engine":
        self.loaded.append(threads)
        return Engine(self, threads)


class Engine:
    input_size, features, framing = 4, 2, Framing.WHOLE

    def __init__(self, loader: Loader, threads: int) -> None:
        self.loader, self.threads, self.busy = loader, threads, False

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert not self.busy, "An engine serves one at a time."
        self.busy = True
        self.loader.running.append(self.threads)
        self.loader.entered.release()
        self.loader.gate.wait(10)
        self.busy = False
        if pictures.shape[1] != self.input_size:
            raise ValueError("shape")
        return np.zeros((len(pictures), self.features), np.float32)


def test_alone_has_all_cores() -> None:
    loader = Loader()
    loader.gate.set()
    engine = SharedEngine(loader, 4)
    for _ in range(5):
        assert engine.embed(PICTURE).shape == (1, 2)
    assert loader.running == [4] * 5
    assert loader.loaded == [4]


def test_together_one_core_each_and_no_more_engines_than_cores() -> None:
    loader = Loader()
    engine = SharedEngine(loader, 2)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(engine.embed, PICTURE)
        assert loader.entered.acquire(timeout=10)
        others = [pool.submit(engine.embed, PICTURE) for _ in range(5)]
        assert loader.entered.acquire(timeout=10)
        assert loader.entered.acquire(timeout=10)
        assert not loader.entered.acquire(timeout=0.1), "Three run: one on all cores, two on one each."
        loader.gate.set()
        for future in [first, *others]:
            future.result(10)
    assert sorted(loader.loaded) == [1, 1, 2]
    assert loader.running[:3] == [2, 1, 1]


def test_error_gives_the_engine_back() -> None:
    loader = Loader()
    loader.gate.set()
    engine = SharedEngine(loader, 1)
    for _ in range(3):
        with pytest.raises(ValueError, match="shape"):
            engine.embed(np.zeros((1, 5, 5, 3), np.uint8))
    assert engine.embed(PICTURE).shape == (1, 2)
