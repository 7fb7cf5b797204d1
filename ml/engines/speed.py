"""Measure how fast a converted backbone is on this machine, once, and keep the result in its record."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.engines.conversion import record_path
from ml.engines.litert import Embedder, LiteRTEngine
from ml.files import write_atomically
from ml.machine import CORES

SECONDS = 0.6
FIELD = "images_per_second"


def read_speed(path: Path) -> float | None:
    """Return the pictures per second of the converted backbone at `path`, or None if they have not been measured."""
    try:
        speed = json.loads(record_path(path).read_text()).get(FIELD)
    except (OSError, ValueError, AttributeError):
        return None
    return float(speed) if isinstance(speed, int | float) and speed > 0 else None


def ensure_speed(path: Path, load: Callable[[], Embedder] | None = None) -> float:
    """Return the pictures per second of the converted backbone at `path`, measuring them if that has not been done.

    The file must exist, as `ensure_tflite` guarantees. `load` returns an engine for it, if it is not an ordinary one.
    """
    known = read_speed(path)
    return known if known is not None else keep_speed(path, measure_speed(load or (lambda: LiteRTEngine(path))))


def keep_speed(path: Path, measured: float) -> float:
    """Write the pictures per second to the record, which must exist, and return them rounded."""
    speed = round(measured, 1)
    record = record_path(path)
    write_atomically(record, json.dumps({**json.loads(record.read_text()), FIELD: speed}, indent=2) + "\n")
    return speed


def measure_speed(load: Callable[[], Embedder], *, seconds: float = SECONDS) -> float:
    """Return the forward passes per second with one engine on each core, which is how the workers run them."""
    with ThreadPoolExecutor(CORES) as pool:
        engines = list(pool.map(lambda _: load(), range(CORES)))
        picture = _grey(engines[0])
        list(pool.map(lambda engine: engine.embed(picture), engines))  # the first pass makes room and is slow
        until = time.perf_counter() + seconds
        return sum(pool.map(lambda engine: _rate(engine, picture, until), engines))


def rate(engine: Embedder, *, seconds: float = SECONDS) -> float:
    """Return the forward passes per second of one engine alone."""
    picture = _grey(engine)
    engine.embed(picture)
    return _rate(engine, picture, time.perf_counter() + seconds)


def _grey(engine: Embedder) -> NDArray[np.uint8]:
    return np.full((1, engine.input_size, engine.input_size, 3), 127, np.uint8)


def _rate(engine: Embedder, picture: NDArray[np.uint8], until: float) -> float:
    begun, passes = time.perf_counter(), 0
    while passes == 0 or time.perf_counter() < until:
        engine.embed(picture)
        passes += 1
    return passes / (time.perf_counter() - begun)
