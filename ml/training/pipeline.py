"""Train a model version from a dataset version and its embeddings."""

import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.backbones.backbone import Backbone
from ml.datasets.dataset import Dataset
from ml.datasets.splits import SPLITS, TEST, TRAINING, VALIDATION
from ml.images.decoding import PREPROCESSING_VERSION
from ml.training.artifacts import Evaluation, pack_artifact
from ml.training.config import TrainConfig
from ml.training.cross_validation import cross_validate, deal_folds, thin_out
from ml.training.evaluation import FEW_GROUPS, evaluate, summarise_cross_validation
from ml.training.event_files import TrainingEventFiles
from ml.training.head import Head, LabelledFeatures, Report, no_callback
from ml.training.recipes.registry import train_head
from ml.training.stopping import StopTraining

IMPORTED = "imported"  # in place of a recipe's name


@dataclass(frozen=True)
class Trained:
    """The result of a training: the artifact's files by name, its digest, and the metrics to show."""

    digest: str
    files: dict[str, bytes]
    metrics: dict[str, Any]


@dataclass(frozen=True)
class TrainedClassifier:
    """The backbone and head that will answer for a model version.

    Attributes:
        test: the backbone's features of the test pictures, float32 (N, F).
        metrics: further metrics, to be shown beside those of the test split.
    """

    backbone: Backbone
    head: Head
    test: NDArray[np.float32]
    metrics: dict[str, Any] = field(default_factory=dict)


def train(
    dataset: Dataset,
    features: Mapping[str, NDArray[np.float32]],
    config: TrainConfig,
    backbone: Backbone,
    report: Report,
    summaries: TrainingEventFiles | None = None,
    tune: Callable[[Head], TrainedClassifier] | None = None,
    *,
    test_is_given: bool = False,
) -> Trained:
    """Train a head, fine-tune the backbone if `tune` is given, evaluate, and pack the artifact.

    Args:
        features: float32 (N, F) for validation and test, in the order of `dataset.rows`. For training
            (N * (1 + A), F): the pictures themselves, then each of the A `config.augmentations`, in the same order.
        report: called as report(stage, fraction, **point).
        summaries: event files to write; they do not influence the training.
        tune: fine-tunes from the trained head, and returns what will answer in its place.
        test_is_given: somebody chose the test pictures; no other figure is put before theirs.

    Raise `EmptySplit`, `TrainingDiverged`, and whatever `tune` raises.
    """
    report("head", 0.0)
    training = LabelledFeatures(features[TRAINING], np.tile(dataset.labels(TRAINING), 1 + len(config.augmentations)))
    validation = LabelledFeatures(features[VALIDATION], dataset.labels(VALIDATION))
    callback = summaries.watch(training, validation) if summaries else no_callback
    head = train_head(training, validation, len(dataset.classes), config, report, callback)
    found = tune(head) if tune else TrainedClassifier(backbone, head, features[TEST])
    report("evaluate", 0.0)
    if not tune and not test_is_given and len(set(dataset.groups_of(TEST))) < FEW_GROUPS:
        with suppress(StopTraining):  # somebody wants what there is, and not to wait for this
            found = replace(found, metrics=_cross_validate(dataset, features, config, report))
    trained = _pack(dataset, found, config.as_dict())
    if summaries:
        summaries.show_test(trained.metrics["test_accuracy"])
    return trained


def _cross_validate(
    dataset: Dataset, features: Mapping[str, NDArray[np.float32]], config: TrainConfig, report: Report
) -> dict[str, Any]:
    """Return the metrics of a cross-validation over all pictures as they are; none if a class has too few groups."""
    groups = [group for split in SPLITS for group in dataset.groups_of(split)]
    labels = np.concatenate([dataset.labels(split) for split in SPLITS])
    plain = np.concatenate([features[split][: len(dataset.labels(split))] for split in SPLITS])
    kept = thin_out(groups)
    groups, labels, plain = [groups[place] for place in kept], labels[kept], plain[kept]
    folds = deal_folds(labels, groups)
    if folds is None:
        return {}
    classes, count, done = len(dataset.classes), int(folds.max()) + 1, itertools.count(1)

    def train_fold(training: LabelledFeatures, validation: LabelledFeatures) -> Head:
        number = next(done)
        head = train_head(
            training, validation, classes, config, lambda *_, **__: report("evaluate", (number - 0.5) / count)
        )
        report("evaluate", number / count)
        return head

    probabilities = cross_validate(plain, labels, folds, classes, train_fold)
    return {"cross_validation": summarise_cross_validation(probabilities, labels, groups, count)}


def adopt(dataset: Dataset, features: NDArray[np.float32], backbone: Backbone, *, source: str) -> Trained:
    """Make a model version from a classifier that was trained elsewhere.

    Its backbone already gives logits, so the head is the identity.

    Args:
        features: logits of the dataset's test pictures, float32 (N, C), N may be 0, in the order of the classes.
        source: where the classifier came from, to be shown.
    """
    classes = len(dataset.classes)
    head = Head(np.eye(classes, dtype=np.float32), np.zeros(classes, np.float32))
    config = {"recipe": IMPORTED, "backbone": backbone.name, "source": source}
    return _pack(dataset, TrainedClassifier(backbone, head, features), config)


def _pack(dataset: Dataset, found: TrainedClassifier, config: dict[str, Any]) -> Trained:
    labels, probabilities = dataset.labels(TEST), found.head.probabilities(found.test)
    names = [name for _, name in dataset.classes]
    metrics = evaluate(probabilities, labels, names, dataset.groups_of(TEST)) | found.metrics
    evaluation = Evaluation(dataset.sha256s(TEST), labels, probabilities)
    digest, files = pack_artifact(_manifest(dataset, found.backbone, config, metrics), found.head, evaluation)
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
