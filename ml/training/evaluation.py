"""Measure how good a head is on pictures it never saw, and how certain that measurement is.

NumPy is enough: scikit-learn and SciPy give the same numbers (the tests compare them), but take a second and 95 MB to
import in the commands that answer without TensorFlow, and have no metrics for an empty test split.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959964  # the standard normal's 97.5 % point


def wilson_interval(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion (Wilson 1927).

    It stays honest for few trials and near 0 % and 100 %. It is (0, 1) without any trials.
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


def evaluate(probabilities: NDArray[np.float32], labels: NDArray[Any], names: list[str]) -> dict[str, Any]:
    """Return the metrics of the test split as plain data, from probabilities (N, C), labels (N,) and class names.

    They are the accuracy with its Wilson interval, precision and recall of each class, and the confusion matrix. A
    ratio over nothing is None.
    """
    matrix = confusion_matrix(labels, probabilities.argmax(axis=1), len(names))
    hits, trials = int(np.trace(matrix)), int(matrix.sum())
    low, high = wilson_interval(hits, trials)
    return {
        "test_accuracy": _ratio(hits, trials),
        "test_n": trials,
        "interval": [round(low, 6), round(high, 6)],
        "per_class": [_class_metrics(matrix, index, name) for index, name in enumerate(names)],
        "confusion": matrix.tolist(),
    }


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
