"""Train a model version from a dataset version and its embeddings."""

import itertools
from collections.abc import Callable, Collection, Mapping
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
from ml.training.calibration import calibration_error, cool, fit_temperature
from ml.training.config import TrainConfig
from ml.training.cross_validation import cross_validate, deal_folds, thin_out
from ml.training.evaluation import FEW_GROUPS, evaluate, summarise_cross_validation
from ml.training.event_files import TrainingEventFiles
from ml.training.head import Head, LabelledFeatures, OutOfSample, Report, no_callback, softmax
from ml.training.out_of_distribution import fit_detector
from ml.training.recipes.registry import train_head
from ml.training.rejection import NOTHING_REFUSED, Rejection, least_probabilities, measure_rejection
from ml.training.stopping import StopTraining

IMPORTED = "imported"  # in place of a recipe's name


@dataclass(frozen=True)
class KnownPictures:
    """The pictures of training and validation, or some of them: features (N, F), class indices (N,), groups (N,)."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: list[str]

    @classmethod
    def of(cls, dataset: Dataset, features: Mapping[str, NDArray[np.float32]]) -> "KnownPictures":
        """Take all of them, without augmented copies; `features` as for `train`."""
        labels = [dataset.labels(split) for split in (TRAINING, VALIDATION)]
        plain = [features[TRAINING][: len(labels[0])], features[VALIDATION]]
        groups = dataset.groups_of(TRAINING) + dataset.groups_of(VALIDATION)
        return cls(np.concatenate(plain), np.concatenate(labels), groups)


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
        known: pictures that it was made from, with the backbone's features.
        test: its features of the test pictures, float32 (N, F).
        out_of_sample: what the head, or heads like it, make of pictures that they have not seen.
        metrics: further metrics, to be shown beside those of the test split.
    """

    backbone: Backbone
    head: Head
    known: KnownPictures
    test: NDArray[np.float32]
    out_of_sample: OutOfSample
    metrics: dict[str, Any] = field(default_factory=dict)


Tune = Callable[[Head], TrainedClassifier]


def train(
    dataset: Dataset,
    features: Mapping[str, NDArray[np.float32]],
    config: TrainConfig,
    backbone: Backbone,
    report: Report,
    summaries: TrainingEventFiles | None = None,
    tune: Tune | None = None,
    *,
    test_is_given: bool = False,
    negative: Collection[int] = (),
) -> Trained:
    """Train a head, fine-tune the backbone if `tune` is given, calibrate, evaluate, and pack the artifact.

    Args:
        features: float32 (N, F) for validation and test, in the order of `dataset.rows`. For training
            (N * (1 + A), F): the pictures themselves, then each of the A `config.augmentations`, in the same order.
        report: called as report(stage, fraction, **point).
        summaries: event files to write; they do not influence the training.
        tune: fine-tunes from the trained head, and returns what will answer in its place.
        test_is_given: somebody chose the test pictures; no other figure is put before theirs.
        negative: the ids of classes that mean “none of these”.

    Raise `EmptySplit`, `TrainingDiverged`, and whatever `tune` raises.
    """
    report("head", 0.0)
    found = _fit(dataset, features, config, backbone, report, summaries, keep_validation=tune is not None)
    if tune:
        found = tune(found.head)
    report("evaluate", 0.0)
    if not tune and not test_is_given and len(set(dataset.groups_of(TEST))) < FEW_GROUPS:
        with suppress(StopTraining):  # somebody wants what there is, and not to wait for this
            found = replace(found, metrics=_estimate(dataset, features, config, found, report))
    others = [place for place, (pk, _) in enumerate(dataset.classes) if pk in negative]
    trained = _calibrate_and_pack(dataset, found, config, others)
    if summaries:
        summaries.show_test(trained.metrics["test_accuracy"])
    return trained


def _fit(
    dataset: Dataset,
    features: Mapping[str, NDArray[np.float32]],
    config: TrainConfig,
    backbone: Backbone,
    report: Report,
    summaries: TrainingEventFiles | None,
    *,
    keep_validation: bool,
) -> TrainedClassifier:
    labels = np.tile(dataset.labels(TRAINING), 1 + len(config.augmentations))
    training = LabelledFeatures(features[TRAINING], labels, dataset.groups_of(TRAINING))
    validation = LabelledFeatures(features[VALIDATION], dataset.labels(VALIDATION), dataset.groups_of(VALIDATION))
    callback = summaries.watch(training, validation) if summaries else no_callback
    fitted = train_head(
        training, validation, len(dataset.classes), config, report, callback, keep_validation=keep_validation
    )
    known = KnownPictures.of(dataset, features)
    return TrainedClassifier(backbone, fitted.head, known, features[TEST], fitted.out_of_sample)


def _estimate(
    dataset: Dataset,
    features: Mapping[str, NDArray[np.float32]],
    config: TrainConfig,
    found: TrainedClassifier,
    report: Report,
) -> dict[str, Any]:
    """Return the metrics of a cross-validation over all pictures as they are; none if a class has too few groups."""
    judged = found.out_of_sample
    # The recipe may have done so already for all but the test pictures, if they are not too many.
    if judged.folds and len(judged.labels) == len(found.known.labels):
        labels = np.concatenate([judged.labels, dataset.labels(TEST)])
        probabilities = softmax(np.concatenate([judged.logits, found.head.logits(found.test)]))
        groups = found.known.groups + dataset.groups_of(TEST)
        return {"cross_validation": summarise_cross_validation(probabilities, labels, groups, judged.folds)}
    return _cross_validate(dataset, features, config, report)


def _cross_validate(
    dataset: Dataset, features: Mapping[str, NDArray[np.float32]], config: TrainConfig, report: Report
) -> dict[str, Any]:
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

        def watch(*_: object, **__: object) -> None:
            report("evaluate", (number - 0.5) / count)

        fitted = train_head(training, validation, classes, config, watch, keep_validation=True)
        report("evaluate", number / count)
        return fitted.head

    probabilities = cross_validate(plain, labels, folds, classes, train_fold)
    return {"cross_validation": summarise_cross_validation(probabilities, labels, groups, count)}


def _calibrate_and_pack(dataset: Dataset, found: TrainedClassifier, config: TrainConfig, others: list[int]) -> Trained:
    """Calibrate the head, find out what to refuse, and pack."""
    temperature = fit_temperature(found.out_of_sample)
    before = _error_of(found.head.probabilities(found.test), dataset.labels(TEST))
    rejection = _find_rejection(found, temperature, config, others)
    metrics = {
        **found.metrics,
        "calibration": {"temperature": round(temperature, 6), "n": len(found.out_of_sample.labels), "before": before},
    }
    calibrated = replace(found, head=cool(found.head, temperature), metrics=metrics)
    return _pack(dataset, calibrated, config.as_dict(), rejection)


def _error_of(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float | None:
    return calibration_error(probabilities.argmax(axis=1) == labels, probabilities.max(axis=1, initial=0))


def _find_rejection(found: TrainedClassifier, temperature: float, config: TrainConfig, others: list[int]) -> Rejection:
    known, judged = found.known, found.out_of_sample
    is_other = np.isin(known.labels, others)
    own = np.flatnonzero(~is_other)
    detector = fit_detector(
        known.features[own], known.labels[own], [known.groups[place] for place in own], known.features[is_other]
    )
    least = None
    if config.wanted_precision:
        probabilities = softmax(judged.logits / np.float32(temperature))
        least = least_probabilities(probabilities, judged.labels, config.wanted_precision / 100)
    return Rejection(detector, least, tuple(others))


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
    nothing = OutOfSample(np.empty((0, classes), np.float32), np.empty(0, np.int64))
    known = KnownPictures(np.empty((0, classes), np.float32), np.empty(0, np.int64), [])
    return _pack(dataset, TrainedClassifier(backbone, head, known, features, nothing), config, NOTHING_REFUSED)


def _pack(dataset: Dataset, found: TrainedClassifier, config: dict[str, Any], rejection: Rejection) -> Trained:
    labels, probabilities = dataset.labels(TEST), found.head.probabilities(found.test)
    likeness = rejection.likeness(found.test)
    names = [name for _, name in dataset.classes]
    measured = {
        "calibration_error": _error_of(probabilities, labels),
        "has_detector": rejection.detector is not None,
        "none_of_these": measure_rejection(rejection.judge(probabilities, likeness), labels, rejection.others),
    }
    metrics = evaluate(probabilities, labels, names, dataset.groups_of(TEST)) | measured | found.metrics
    evaluation = Evaluation(dataset.sha256s(TEST), labels, probabilities, likeness)
    manifest = _manifest(dataset, found.backbone, config, metrics)
    digest, files = pack_artifact(manifest, found.head, evaluation, rejection)
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
