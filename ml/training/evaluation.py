"""Measure how good a head is on pictures it never saw, and how certain that measurement is.

NumPy is enough: scikit-learn and SciPy give the same numbers (the tests compare them), but take a second and 95 MB to
import in the commands that answer without TensorFlow, and have no metrics for an empty test split.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW_GROUPS = 50  # independent pictures; with fewer, the interval is about 20 points wide or more
Z_95 = 1.959964  # the standard normal's 97.5 % point


def wilson_interval(hits: float, trials: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion (Wilson 1927).

    It stays honest for few trials and near 0 % and 100 %. It is (0, 1) without any trials. `hits` need not be whole:
    of twenty frames of two videos, the share that is right counts as that of two trials.
    """
    if trials == 0:
        return 0.0, 1.0
    share, z2 = hits / trials, Z_95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z_95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def confusion_matrix(labels: NDArray[Any], predicted: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Return counts, int64 (C, C): rows are true classes, columns predicted classes.

    labels and predicted are class indices (N,).
    """
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def evaluate(
    probabilities: NDArray[np.float32], labels: NDArray[Any], names: list[str], groups: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the metrics of the test split as plain data, from probabilities (N, C), labels (N,) and class names.

    They are the accuracy with its Wilson interval, precision and recall of each class, and the confusion matrix. A
    ratio over nothing is None. Pictures of one of the `groups`, (N,), count as one when it comes to certainty.
    """
    matrix = confusion_matrix(labels, probabilities.argmax(axis=1), len(names))
    hits, trials = int(np.trace(matrix)), int(matrix.sum())
    independent = trials if groups is None else len(set(groups))
    return {
        "test_accuracy": _ratio(hits, trials),
        "test_n": trials,
        "test_groups": independent,
        "interval": _interval(hits, trials, independent),
        "per_class": [_class_metrics(matrix, index, name) for index, name in enumerate(names)],
        "confusion": matrix.tolist(),
    }


def summarise_cross_validation(
    probabilities: NDArray[np.float32], labels: NDArray[Any], groups: Sequence[str], folds: int
) -> dict[str, Any]:
    """Return what is kept of a cross-validation as plain data; the arguments as for `evaluate`."""
    found = asdict(estimate_on(probabilities, labels, groups))
    return {
        "folds": folds,
        "interval": list(found["interval"]),
        **{name: found[name] for name in ("accuracy", "n", "groups")},
    }


@dataclass(frozen=True)
class Estimate:
    """How good a model version probably is on new pictures.

    Attributes:
        accuracy: None if there was nothing to measure it on.
        interval: the 95 % confidence interval.
        n: the pictures it was measured on.
        groups: how many of them are independent of each other.
        by: "test" or "cross_validation".
    """

    accuracy: float | None
    interval: tuple[float, float]
    n: int
    groups: int
    by: str

    @property
    def is_rough(self) -> bool:
        """Return whether more pictures would tell much more."""
        return self.groups < FEW_GROUPS


def estimate_on(probabilities: NDArray[np.float32], labels: NDArray[Any], groups: Sequence[str]) -> Estimate:
    """Return the accuracy on test pictures; the arguments as for `evaluate`."""
    hits, trials, independent = int((probabilities.argmax(axis=1) == labels).sum()), len(labels), len(set(groups))
    low, high = _interval(hits, trials, independent)
    return Estimate(_ratio(hits, trials), (low, high), trials, independent, "test")


def best_estimate(metrics: Mapping[str, Any]) -> Estimate:
    """Return the figure to show first: of the test split, or of the cross-validation where the test was too small."""
    crossed = metrics.get("cross_validation")
    if crossed:
        low, high = crossed["interval"]
        return Estimate(crossed["accuracy"], (low, high), crossed["n"], crossed["groups"], "cross_validation")
    (low, high), n = metrics["interval"], metrics["test_n"]
    return Estimate(metrics["test_accuracy"], (low, high), n, metrics.get("test_groups", n), "test")


def _interval(hits: int, trials: int, independent: int) -> list[float]:
    low, high = wilson_interval(hits * independent / trials if trials else 0, independent)
    return [round(low, 6), round(high, 6)]


def _class_metrics(matrix: NDArray[np.int64], index: int, name: str) -> dict[str, Any]:
    hits = int(matrix[index, index])
    return {
        "name": name,
        "n": int(matrix[index].sum()),
        "precision": _ratio(hits, int(matrix[:, index].sum())),
        "recall": _ratio(hits, int(matrix[index].sum())),
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
