"""Measure the command line from the start of its process to its end.

The figures are retrain_cold, retrain_warm, label_one and label_hundred.
"""

import functools
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.figures import Figure, compare, rate_figure
from bench.photos import numbered
from bench.rows import fake_features
from bench.site import CLASSES, BenchmarkSite
from tests.site import ROOT

PHOTOS = 1000
STEPS = 500  # as in the tutorial
NAMED = 100  # pictures labelled in one call
COLD_ROUNDS, ROUNDS, HUNDRED_ROUNDS = 2, 3, 8
COLD, WARM, ONE, HUNDRED = 1.5, 1.3, 0.2, 0.85

# Trains only the head, and prints the seconds without the imports.
HEAD = """
import sys, time
import numpy as np
from ml.training.config import TrainConfig
from ml.training.head import LabelledFeatures
from ml.training.recipes.registry import train_head
features, labels = (np.load(path) for path in sys.argv[1:3])
cut = len(labels) * 9 // 10
begun = time.perf_counter()
config = TrainConfig(recipe="sgd", steps=int(sys.argv[3]))
splits = LabelledFeatures(features[:cut], labels[:cut]), LabelledFeatures(features[cut:], labels[cut:])
train_head(*splits, int(labels.max()) + 1, config, lambda *_, **__: None)
print(time.perf_counter() - begun)
"""

# A bare program that labels pictures, with a thread and an interpreter for each core.
NAME = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from ml.engines.litert import LiteRTEngine
from ml.images.decoding import load_picture
from ml.machine import CORES
own = threading.local()
def name(path):
    if not hasattr(own, "engine"):
        own.engine = LiteRTEngine(Path(sys.argv[1]))
    return own.engine.embed(load_picture(Path(path).read_bytes(), own.engine.input_size)[np.newaxis])
with ThreadPoolExecutor(CORES) as pool:
    list(pool.map(name, sys.argv[2:]))
"""

# Reads flags and settings as all commands do, of which there are none.
BEGIN = """
import pydantic_settings
from django.core.management.base import BaseCommand
class Settings(pydantic_settings.BaseSettings):
    PORT: int = 8000
Settings()
BaseCommand().create_parser("manage.py", "nothing").parse_args([])
"""


def retrain_cold(bench: BenchmarkSite) -> Figure:
    """Measure `retrain` on pictures it has never seen; the backbone is prepared, as `make run` leaves it."""
    commands = _commands(bench)
    photos = [lambda way=way: PHOTOS * way() for way in bench.raw.ways("answer", PHOTOS // 4)]  # type: ignore[misc]
    found = compare(commands.retrain_anew, [photos, [import_tensorflow]], rounds=COLD_ROUNDS)
    ratio = found.ratio
    return Figure("retrain_cold", found.real, "s", found.limit, ratio, f"ratio <= {COLD}", ratio <= COLD)


def retrain_warm(bench: BenchmarkSite) -> Figure:
    """Measure the same command when all features are stored."""
    commands = _ready(bench)
    found = compare(commands.retrain, [[import_tensorflow], [commands.train_head]], rounds=ROUNDS)
    ratio = found.ratio
    return Figure("retrain_warm", found.real, "s", found.limit, ratio, f"ratio <= {WARM}", ratio <= WARM)


def label_one(bench: BenchmarkSite) -> Figure:
    """Measure `label_image` for one picture, with a graph that `retrain` wrote."""
    commands = _ready(bench)
    found = compare(lambda: commands.label(1), [[import_tensorflow]], rounds=ROUNDS)
    ratio = found.ratio
    return Figure("label_one", found.real, "s", found.limit, ratio, f"ratio <= {ONE}", ratio <= ONE)


def label_hundred(bench: BenchmarkSite) -> Figure:
    """Measure `label_image` for a hundred pictures in one call.

    The limit is the same in a bare program, and reading flags and settings with the libraries that all commands use.
    """
    commands = _ready(bench)
    parts = [[commands.name_bare], [lambda: begin_command() / NAMED]]
    found = compare(lambda: commands.label(NAMED) / NAMED, parts, rounds=HUNDRED_ROUNDS)
    return rate_figure("label_hundred", "pictures/s", found, least=HUNDRED)


def _ready(bench: BenchmarkSite) -> "Commands":
    """Return the commands after all features and the graph have been made."""
    commands = _commands(bench)
    if not (commands.folder / "graph.pb").exists():
        commands.retrain()
    return commands


@functools.cache
def _commands(bench: BenchmarkSite) -> "Commands":
    """Return the commands, which all figures of a run share."""
    return Commands(bench)


def import_tensorflow() -> float:
    """Return the seconds of a process that only imports TensorFlow."""
    return _time([sys.executable, "-c", "import tensorflow"])


def begin_command() -> float:
    """Return the seconds of a process that reads flags and settings, and does nothing."""
    return _time([sys.executable, "-c", BEGIN])


class Commands:
    """A folder of photos, and the commands that work on it. The site's data folder has the prepared backbone."""

    def __init__(self, bench: BenchmarkSite) -> None:
        self.backbone = bench.backbone_file
        self.folder = Path(tempfile.mkdtemp(dir=bench.folder, prefix="command-"))
        self.turns = itertools.count()
        self.files = []
        for place in range(PHOTOS):
            path = self.folder / "photos" / f"class {place % CLASSES}" / f"{place:04}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(numbered(bench.photos[place % len(bench.photos)], place))
            self.files.append(str(path))
        features, labels = fake_features(PHOTOS, CLASSES, seed=8)
        np.save(self.folder / "features.npy", features)
        np.save(self.folder / "labels.npy", labels)

    def retrain(self, bottlenecks: str = "bottlenecks") -> float:
        """Return the seconds of `retrain`."""
        given = {
            "image_dir": "photos",
            "architecture": "efficientnet_lite0",
            "how_many_training_steps": STEPS,
            "bottleneck_dir": bottlenecks,
            "output_graph": "graph.pb",
            "output_labels": "labels.txt",
            "summaries_dir": "logs",
            "checkpoint_path": "checkpoint",
        }
        return self._manage("retrain", *(f"--{name}={value}" for name, value in given.items()))

    def retrain_anew(self) -> float:
        """Return the seconds of `retrain` with an empty bottleneck folder."""
        return self.retrain(f"bottlenecks-{next(self.turns)}")

    def label(self, count: int) -> float:
        """Return the seconds of `label_image` for so many pictures."""
        return self._manage("label_image", "--graph=graph.pb", "--labels=labels.txt", *self.files[:count])

    def name_bare(self) -> float:
        """Return the seconds for one of a hundred pictures in a bare program."""
        return _time([sys.executable, "-c", NAME, str(self.backbone), *self.files[:NAMED]]) / NAMED

    def train_head(self) -> float:
        """Return the seconds for training only the head."""
        paths = [str(self.folder / name) for name in ("features.npy", "labels.npy")]
        command = [sys.executable, "-c", HEAD, *paths, str(STEPS)]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True)
        return float(done.stdout.split()[-1])

    def _manage(self, *arguments: str) -> float:
        return _time([sys.executable, str(ROOT / "manage.py"), *arguments], self.folder)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def _time(command: list[str], folder: Path | None = None) -> float:
    """Return the seconds from the start of the process to its end. Raise `RuntimeError` if it fails."""
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True)
    took = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"{command[1:4]} ended with {done.returncode}: {done.stderr[-1000:]}")
    return took
