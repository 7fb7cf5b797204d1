"""Share the engines of one backbone between the many threads of a process."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from ml.engines.litert import Embedder


class SharedEngine:
    """The engines of one backbone for the many threads of a process, behind an engine's interface.

    A request that comes alone gets an engine that runs on all cores, which gives the shortest time to an answer. When
    several come at once, each gets an engine with a single thread, with as many engines as there are cores: that gives
    the most answers per second, because threads that compute one picture together wait for each other whenever cores
    are busy.
    """

    def __init__(self, load: Callable[[int], Embedder], cores: int) -> None:
        """Load the engine for all cores; those with one thread are loaded when first needed.

        `load(threads)` returns a new engine.
        """
        self._load, self._cores = load, cores
        self._wide = load(cores)
        self._idle: list[Embedder] = []  # with one thread
        self._loaded = self._running = 0
        self._changed = threading.Condition()
        self.input_size, self.features = self._wide.input_size, self._wide.features
        self.framing = self._wide.framing

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 features (N, F) of uint8 pictures (N, S, S, 3), after waiting for a free engine."""
        with self._engine() as engine:
            return engine.embed(pictures)

    @contextmanager
    def _engine(self) -> Iterator[Embedder]:
        with self._changed:
            self._changed.wait_for(lambda: not self._running or self._idle or self._loaded < self._cores)
            engine = self._choose()
            self._running += 1
        try:
            yield engine
        finally:
            with self._changed:
                self._running -= 1
                if engine is not self._wide:
                    self._idle.append(engine)
                self._changed.notify()

    def _choose(self) -> Embedder:
        if not self._running:
            return self._wide
        if self._idle:
            return self._idle.pop()
        engine = self._load(1)
        self._loaded += 1
        return engine
