"""Measure the limits: plain loops over the same work, on all cores, with nothing around them."""

import itertools
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.engines.litert import LiteRTEngine
from ml.files import sync_filesystem
from ml.images.decoding import load_picture, verify_image
from ml.images.heat import make_overlay
from ml.machine import CORES
from ml.training.head import Head

CHUNK = 8  # pictures that a process takes at a time; few, so that no core is idle at the end
HEAD = Head(np.full((1280, 5), 0.01, np.float32), np.zeros(5, np.float32))


class _Hands:
    """The things that one thread or process works with: the pictures, a folder, an interpreter of its own."""

    def __init__(self, photos: list[bytes], backbone: Path, folder: Path) -> None:
        self.photos, self.backbone, self.folder = photos, backbone, folder
        self.engines: dict[int, LiteRTEngine] = {}
        self.mark, self.written = f"{os.getpid()}-{threading.get_ident()}", itertools.count()
        size = self.engine(1).input_size
        self.decoded = np.stack([load_picture(photo, size) for photo in photos[:CHUNK]])

    def engine(self, threads: int) -> LiteRTEngine:
        if threads not in self.engines:
            self.engines[threads] = LiteRTEngine(self.backbone, threads=threads)
        return self.engines[threads]

    def decode(self, start: int) -> None:
        for photo in self._chunk(start):
            load_picture(photo, self.engine(1).input_size)

    def forward(self, start: int, threads: int = 1) -> None:
        self.engine(threads).embed(self.decoded)

    def forward_wide(self, start: int) -> None:
        self.forward(start, threads=CORES)

    def take_in(self, start: int) -> None:
        """Hash, verify and write. The names differ, because overwriting would be different work for the file system.

        Nothing is deleted before the end: for minutes ext4 avoids each inode that has just become free, and every file
        that is created then takes several times as long.
        """
        for photo in self._chunk(start):
            facts = verify_image(photo)
            (self.folder / f"{facts.sha256}-{self.mark}-{next(self.written)}").write_bytes(photo)

    def answer(self, start: int, threads: int = 1) -> None:
        for photo in self._chunk(start):
            self.answer_one(photo, threads)

    def answer_one(self, photo: bytes, threads: int) -> None:
        engine = self.engine(threads)
        HEAD.probabilities(engine.embed(load_picture(photo, engine.input_size)[np.newaxis]))

    def _chunk(self, start: int) -> list[bytes]:
        return [self.photos[place % len(self.photos)] for place in range(start, start + CHUNK)]


_own: dict[str, Any] = {}  # the state of a raw process


def _begin(*arguments: Any) -> None:
    _own["hands"] = _Hands(*arguments)


def _run(task: tuple[str, int]) -> None:
    name, start = task
    getattr(_own["hands"], name)(start)


@dataclass(frozen=True)
class InProcess:
    """A way that answers one picture at a time with so many threads, for `LoadClient.medians_in_turns`."""

    photos: list[bytes]
    backbone: Path
    threads: int

    def begin(self) -> Callable[[int], float]:
        """Load the engine, and return the function that answers one picture."""
        hands = _Hands(self.photos, self.backbone, Path())

        def once(turn: int) -> float:
            begun = time.perf_counter()
            hands.answer_one(self.photos[turn % len(self.photos)], self.threads)
            return time.perf_counter() - begun

        return once


@dataclass(frozen=True)
class BareOverlay:
    """A way that lays heat over one picture at a time and writes it as PNG."""

    photos: list[bytes]
    size: int

    def begin(self) -> Callable[[int], float]:
        """Return the function that makes one overlay."""
        warmth = np.random.default_rng(0).random((7, 7), np.float32)

        def once(turn: int) -> float:
            begun = time.perf_counter()
            make_overlay(self.photos[turn % len(self.photos)], warmth, self.size, kind="PNG")
            return time.perf_counter() - begun

        return once


class RawMachine:
    """A process and a thread for each core, started once and idle between the measurements."""

    def __init__(self, photos: list[bytes], backbone: Path, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        arguments = (photos, backbone, folder)
        # Not forked: this process has threads.
        self.processes = multiprocessing.get_context("spawn").Pool(CORES, _begin, arguments)
        self.threads = ThreadPoolExecutor(CORES)
        self.local = threading.local()
        self.arguments = arguments
        for name in ("decode", "forward", "answer"):  # initialise the libraries
            self.in_processes(name, 4 * CHUNK * CORES)
            self.in_threads(name, 4 * CHUNK * CORES)

    def close(self) -> None:
        """Stop the processes and threads."""
        self.processes.terminate()
        self.threads.shutdown()

    def in_processes(self, name: str, count: int) -> float:
        """Return the seconds per picture with a process for each core."""
        tasks = [(name, start) for start in range(0, count, CHUNK)]
        return self._timed(lambda: self.processes.map(_run, tasks, chunksize=1), count)

    def in_threads(self, name: str, count: int) -> float:
        """Return the seconds per picture with a thread for each core."""
        return self._timed(lambda: list(self.threads.map(self._in_thread(name), range(0, count, CHUNK))), count)

    def alone(self, name: str, count: int) -> float:
        """Return the seconds per picture in a single process, which may itself use several cores."""
        return self._timed(lambda: self.processes.apply(_run_all, ((name, count),)), count)

    def _in_thread(self, name: str) -> Callable[[int], None]:
        def work(start: int) -> None:
            if not hasattr(self.local, "hands"):
                self.local.hands = _Hands(*self.arguments)
            getattr(self.local.hands, name)(start)

        return work

    def _timed(self, work: Callable[[], Any], count: int) -> float:
        begun = time.perf_counter()
        work()
        return (time.perf_counter() - begun) / count

    def ways(self, name: str, count: int) -> list[Callable[[], float]]:
        """Return the ways to keep all cores busy with it; the fastest of them is the limit."""
        return [lambda: self.in_processes(name, count), lambda: self.in_threads(name, count)]

    def durable_ways(self, name: str, count: int) -> list[Callable[[], float]]:
        """Return the same ways, each with putting on the disk what was written, all at once."""

        def durable(way: Callable[[], float]) -> Callable[[], float]:
            def run() -> float:
                taken = way()
                return taken + self._timed(lambda: sync_filesystem(self.folder), count)

            return run

        return [durable(way) for way in self.ways(name, count)]

    def forward_ways(self, count: int) -> list[Callable[[], float]]:
        """Return the ways to run forward passes."""
        return [*self.ways("forward", count), lambda: self.alone("forward_wide", count)]


def _run_all(task: tuple[str, int]) -> None:
    name, count = task
    for start in range(0, count, CHUNK):
        _run((name, start))
