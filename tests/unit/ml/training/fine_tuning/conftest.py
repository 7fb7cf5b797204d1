"""Provide a task that the tiny backbone cannot solve as it is, and a head that did its best."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from ml.datasets.dataset import Dataset
from ml.datasets.splits import SPLITS, TEST, TRAINING, VALIDATION
from ml.engines.embeddings import embed_pictures
from ml.engines.litert import LiteRTEngine
from ml.training.config import TrainConfig
from ml.training.fine_tuning.state import Point
from ml.training.head import Head, LabelledFeatures
from ml.training.recipes.registry import train_head
from tests.textures import SLOPES, textures

EACH = {TRAINING: 240, VALIDATION: 30, TEST: 20}
CONFIG = TrainConfig(backbone="testing", fine_tuning="all", fine_tuning_rate=0.005, fine_tuning_epochs=8)


@dataclass(frozen=True)
class Task:
    dataset: Dataset
    files: dict[str, bytes]  # by sha256
    head: Head

    @property
    def read(self) -> Callable[[str], bytes]:
        return self.files.__getitem__


class Recorder:
    """A `Watch` that records its calls, and stops the work after so many batches or epochs if it is told to."""

    def __init__(self, *, batches: int | None = None, epochs: int | None = None) -> None:
        self.batches, self.epochs = batches, epochs
        self.total, self.counts = 0, [0]
        self.points: list[Point] = []
        self.checkpoint: bytes | None = None

    def begin(self, pictures: int) -> None:
        self.total = pictures

    def shown(self, pictures: int) -> None:
        self.counts.append(pictures)
        if self.batches is not None and len(self.counts) > self.batches:
            raise InterruptedError

    def epoch_ended(self, points: list[Point], checkpoint: Callable[[], bytes]) -> None:
        self.points, self.checkpoint = points, checkpoint()
        if self.epochs == points[-1]["epoch"]:
            raise InterruptedError


@pytest.fixture(scope="session")
def slopes(engine: LiteRTEngine) -> Task:
    files: dict[str, bytes] = {}
    rows: list[tuple[str, int, str]] = []
    for place, (split, each) in enumerate(EACH.items()):
        for name, data in textures(each, seed=1000 * place).items():
            sha256 = hashlib.sha256(data).hexdigest()
            files[sha256] = data
            rows.append((sha256, SLOPES.index(name.split("/")[0]), split))
    dataset = Dataset("d" * 64, list(enumerate(SLOPES)), rows)
    features = {
        split: np.concatenate([v for _, v in embed_pictures(dataset.sha256s(split), files.__getitem__, engine)])
        for split in SPLITS
    }
    splits = [LabelledFeatures(features[split], dataset.labels(split)) for split in (TRAINING, VALIDATION)]
    head = train_head(*splits, len(SLOPES), TrainConfig(backbone="testing"), lambda *_, **__: None).head
    assert np.mean(head.probabilities(features[TEST]).argmax(axis=1) == dataset.labels(TEST)) < 0.8
    return Task(dataset, files, head)
