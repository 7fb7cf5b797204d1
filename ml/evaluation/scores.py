"""Count hits and misses: of each class, and of the whole."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from ml.evaluation.curves import average_precision
from ml.training.evaluation import wilson_interval

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class ClassScores(BaseModel):
    """What the answers say of one class. A ratio over nothing is None."""

    n: int  # pictures of the class
    predicted: int  # pictures that are taken for it
    hits: int
    precision: float | None  # of those that are taken for it, the share that are of it
    recall: float | None  # of its pictures, the share that are found
    recall_interval: tuple[float, float]  # 95 % confidence interval
    f1: float | None  # the harmonic mean of both
    average_precision: float | None  # the area below the curve of precision over recall


def score_classes(labels: Ints, probabilities: Floats) -> list[ClassScores]:
    """Return the scores of each class, from labels (N,) and probabilities (N, C)."""
    classes, predicted = probabilities.shape[1], probabilities.argmax(axis=1)
    sizes = np.bincount(labels, minlength=classes)
    answered = np.bincount(predicted, minlength=classes)
    hits = np.bincount(labels[labels == predicted], minlength=classes)
    columns = np.ascontiguousarray(probabilities.T)  # sorting them takes most of the time
    return [
        _score(
            int(sizes[place]),
            int(answered[place]),
            int(hits[place]),
            average_precision(labels == place, columns[place]),
        )
        for place in range(classes)
    ]


def _score(n: int, predicted: int, hits: int, area: float | None) -> ClassScores:
    low, high = wilson_interval(hits, n)
    return ClassScores(
        n=n,
        predicted=predicted,
        hits=hits,
        precision=ratio(hits, predicted),
        recall=ratio(hits, n),
        recall_interval=(round(low, 6), round(high, 6)),
        f1=ratio(2 * hits, n + predicted),
        average_precision=area,
    )


def mean_of(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that there are, None without any."""
    there = [value for value in values if value is not None]
    return round(sum(there) / len(there), 6) if there else None


def ratio(part: float, whole: float) -> float | None:
    """Return part / whole, None over nothing."""
    return round(part / whole, 6) if whole else None
