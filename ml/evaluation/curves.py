"""Draw curves over thresholds, thinned to what a chart can show."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Counts = NDArray[np.int64]

POINTS = 100  # of a curve
STEPS = 100  # thresholds that a slider knows: 0 %, 1 %, ... 100 %


class ClassCurve(BaseModel):
    """How precision and recall of one class depend on the probability from which on a picture is called that class."""

    recall: list[float]
    precision: list[float]
    called: list[int]  # pictures with at least 0 %, 1 %, ... 100 %
    right: list[int]  # how many of them are of the class


class CoveragePoint(BaseModel):
    """What is right among the answers that the classifier is surest of."""

    coverage: float  # the share of pictures that are answered
    accuracy: float  # of those
    threshold: float  # the least probability among them


def average_precision(is_class: NDArray[np.bool_], scores: Floats) -> float | None:
    """Return the area below the precision over the recall in steps, None if no picture is of the class."""
    if not is_class.any():
        return None
    right, called = _count_down(is_class, scores)
    recall = right / right[-1]
    return round(float(np.diff(recall, prepend=0) @ (right / called)), 6)


def draw_class_curve(is_class: NDArray[np.bool_], scores: Floats) -> ClassCurve:
    """Return the curve of one class, from which pictures are of it, (N,), and its probabilities, (N,)."""
    recall, precision = _precision_over_recall(is_class, scores)
    return ClassCurve(
        recall=recall,
        precision=precision,
        called=_count_from_steps(scores),
        right=_count_from_steps(scores[is_class]),
    )


def _precision_over_recall(is_class: NDArray[np.bool_], scores: Floats) -> tuple[list[float], list[float]]:
    if not is_class.any():
        return [], []
    right, called = _count_down(is_class, scores)
    # The first threshold that reaches a recall has the best precision for it.
    places = np.searchsorted(right, np.arange(1, POINTS + 1) / POINTS * right[-1] - 1e-9)
    chosen = np.unique(places)
    return _rounded(right[chosen] / right[-1]), _rounded(right[chosen] / called[chosen])


def _count_down(is_class: NDArray[np.bool_], scores: Floats) -> tuple[Counts, Counts]:
    """Return, for each different score from the largest on, how many have at least it: of the class, and of all."""
    order = np.argsort(-scores)
    called = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    return np.cumsum(is_class[order])[called], called + 1


def _count_from_steps(scores: Floats) -> list[int]:
    """Count the scores that are at least as large as each step."""
    steps = np.arange(STEPS + 1, dtype=np.float32) / np.float32(STEPS)
    return [int(count) for count in len(scores) - np.searchsorted(np.sort(scores), steps)]


def draw_coverage(right: NDArray[np.bool_], confidence: Floats) -> list[CoveragePoint]:
    """Return the accuracy against the coverage, from the surest answer on.

    Args:
        right: whether each answer is right, (N,).
        confidence: the probability of each answer, (N,).
    """
    if not len(right):
        return []
    hits, answered = _count_down(right, confidence)
    places = np.unique(np.searchsorted(answered, np.arange(1, POINTS + 1) / POINTS * len(right) - 1e-9))
    thresholds = np.sort(confidence)[::-1][answered[places] - 1]
    return [
        CoveragePoint(coverage=coverage, accuracy=accuracy, threshold=threshold)
        for coverage, accuracy, threshold in zip(
            _rounded(answered[places] / len(right)),
            _rounded(hits[places] / answered[places]),
            _rounded(thresholds),
            strict=True,
        )
    ]


def _rounded(values: NDArray[np.floating]) -> list[float]:
    return [round(float(value), 5) for value in values]
