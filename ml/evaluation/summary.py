"""Summarise answers to labelled pictures: small however many pictures there are, so that a page can show it at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from ml.evaluation.confusions import Confusion, list_confusions, order_by_likeness
from ml.evaluation.curves import ClassCurve, CoveragePoint, draw_class_curve, draw_coverage
from ml.evaluation.reliability import Bin, draw_reliability
from ml.evaluation.scores import ClassScores, mean_of, ratio, score_classes
from ml.training.calibration import calibration_error
from ml.training.evaluation import estimate_on

SUMMARY_VERSION = 1  # 1: the first. Raise it whenever the same answers give another summary


class Summary(BaseModel):
    """What answers to N pictures say, class by class and as a whole. Classes are places in their order."""

    n: int
    groups: int  # how many of the pictures are independent of each other
    accuracy: float | None
    interval: tuple[float, float]  # 95 % confidence interval
    constant_class: int | None  # the most frequent class
    constant_accuracy: float | None  # of always answering it
    balanced_accuracy: float | None  # the mean recall of the classes that have pictures
    f1: float | None  # the mean of the classes that have pictures
    calibration_error: float | None
    classes: list[ClassScores]
    reliability: list[Bin]
    coverage: list[CoveragePoint]
    confusions: list[Confusion]
    order_by_likeness: list[int]


def summarise(labels: NDArray[np.int64], probabilities: NDArray[np.float32], groups: Sequence[str]) -> Summary:
    """Return the summary of probabilities (N, C) beside labels (N,) and the groups of the pictures, (N,)."""
    predicted = probabilities.argmax(axis=1)
    right, confidence = predicted == labels, probabilities.max(axis=1, initial=0)
    estimate, classes = estimate_on(probabilities, labels, groups), score_classes(labels, probabilities)
    sizes, confusions = [one.n for one in classes], list_confusions(labels, predicted)
    most = int(np.argmax(sizes)) if len(labels) else None
    return Summary(
        n=len(labels),
        groups=estimate.groups,
        accuracy=estimate.accuracy,
        interval=estimate.interval,
        constant_class=most,
        constant_accuracy=ratio(max(sizes, default=0), len(labels)),
        balanced_accuracy=mean_of([one.recall for one in classes]),
        f1=mean_of([one.f1 for one in classes if one.n]),
        calibration_error=calibration_error(right, confidence),
        classes=classes,
        reliability=draw_reliability(right, confidence),
        coverage=draw_coverage(right, confidence),
        confusions=confusions,
        order_by_likeness=order_by_likeness(confusions, sizes),
    )


def draw_curves(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> list[ClassCurve]:
    """Return the curves of all classes, from labels (N,) and probabilities (N, C)."""
    columns = np.ascontiguousarray(probabilities.T)
    return [draw_class_curve(labels == place, column) for place, column in enumerate(columns)]
