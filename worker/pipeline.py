"""From a dataset version and its embeddings to the files of a model version."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.artifacts import Evaluation, pack_artifact
from worker.backbones import Backbone, get_backbone
from worker.config import TrainConfig
from worker.evaluation import evaluate
from worker.head import Head, Split, train_head
from worker.images import PREPROCESSING_VERSION
from worker.splits import TEST, TRAINING, VALIDATION

IMPORTED = "imported"  # in the place of a recipe


@dataclass(frozen=True)
class Dataset:
    """A frozen dataset version. `rows` are (sha256, class index, split), in the order of the manifest."""

    digest: str
    classes: list[tuple[int, str]]
    rows: list[tuple[str, int, str]]

    def of(self, split: str) -> NDArray[np.int64]:
        """Row numbers of a split."""
        return np.array([number for number, row in enumerate(self.rows) if row[2] == split], np.int64)

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.array([row[1] for row in self.rows], np.int64)


@dataclass(frozen=True)
class Trained:
    """What training gives: the artifact's files by name, its digest, and the metrics for people."""

    digest: str
    files: dict[str, bytes]
    metrics: dict[str, Any]


def train(dataset: Dataset, features: NDArray[np.float32], config: TrainConfig, report: Callable[..., None]) -> Trained:
    """features: (N, F), row by row as `dataset.rows`. Calls report(stage, fraction, **facts)."""
    names = [name for _, name in dataset.classes]
    labels = dataset.labels
    training, validation, test = (dataset.of(split) for split in (TRAINING, VALIDATION, TEST))

    report("head", 0.0)
    head = train_head(
        Split(features[training], labels[training]),
        Split(features[validation], labels[validation]),
        len(names),
        config,
        report,
    )
    report("evaluate", 0.0)
    probabilities = head.probabilities(features[test])
    metrics = evaluate(probabilities, labels[test], names)
    evaluation = Evaluation([dataset.rows[row][0] for row in test], labels[test], probabilities)
    digest, files = pack_artifact(
        _manifest(dataset, get_backbone(config.backbone), config.as_dict(), metrics), head, evaluation
    )
    return Trained(digest, files, metrics)


def adopt(dataset: Dataset, features: NDArray[np.float32], backbone: Backbone, *, source: str) -> Trained:
    """A classifier that was trained elsewhere, as a model version.

    Args:
        features: (N, C) of the dataset's test pictures, N may be 0: logits of the classes in the dataset's order.
        source: where it came from, for people.
    """
    names = [name for _, name in dataset.classes]
    head = Head(np.eye(len(names), dtype=np.float32), np.zeros(len(names), np.float32))
    test = dataset.of(TEST)
    probabilities = head.probabilities(features)
    metrics = evaluate(probabilities, dataset.labels[test], names)
    evaluation = Evaluation([dataset.rows[row][0] for row in test], dataset.labels[test], probabilities)
    config = {"recipe": IMPORTED, "backbone": backbone.name, "source": source}
    digest, files = pack_artifact(_manifest(dataset, backbone, config, metrics), head, evaluation)
    return Trained(digest, files, metrics)


def _manifest(dataset: Dataset, backbone: Backbone, config: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "backbone": {
            "name": backbone.name,
            "digest": backbone.digest,
            "input_size": backbone.input_size,
            "features": backbone.features,
            "preprocessing_version": PREPROCESSING_VERSION,
        },
        "classes": [[pk, name] for pk, name in dataset.classes],
        "dataset_digest": dataset.digest,
        "config": config,
        "metrics": metrics,
    }
