"""Say whether more pictures would help, from how accuracy grows with the pictures that there are.

Heads learn from an eighth, a quarter, half and all of the pictures outside a fold, and are judged by it. Errors of
learners fall with a power of the number of examples (Hestness et al. 2017), which is fitted and followed to twice as
many.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from ml.audit.labels import UNLABELLED, Report
from ml.blas import blas_on_one_core
from ml.training.cross_validation import deal_folds, thin_out
from ml.training.softmax_regression import fit_head

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

WORTH_MORE = 0.01  # of the pictures, that would be right besides
SHARES = (0.125, 0.25, 0.5, 1.0)
LEAST_OF_CLASS = 2  # pictures of a class that a head learns from
PENALTY = 0.1  # more would hide what pictures teach


class CurvePoint(BaseModel):
    """The accuracy of heads that have learnt from so many pictures."""

    pictures: int
    accuracy: float


class LearningCurve(BaseModel):
    """How accuracy grows with the pictures that are learnt from."""

    points: list[CurvePoint] = Field([], description="from few pictures to all; empty where a class has too few")
    twice: CurvePoint | None = Field(None, description="what is expected with twice as many; null if unknown")

    @property
    def gain(self) -> float | None:
        """Return by how much accuracy would grow with twice as many pictures, 0 to 1."""
        return None if self.twice is None else self.twice.accuracy - self.points[-1].accuracy

    @property
    def more_of_hundred(self) -> int | None:
        """Return how many more of 100 pictures would be right with twice as many, 0 if it is not worth the work."""
        gain = self.gain
        return None if gain is None else round(100 * gain) if gain >= WORTH_MORE else 0


def measure_learning_curve(
    features: Floats, labels: Ints, groups: Sequence[str], classes: int, report: Report = lambda _: None
) -> LearningCurve:
    """Measure the curve; it has no points where a class has too few pictures.

    Args:
        features, labels, groups: as for `ml.audit.labels.judge_labels`.
        report: called with the share that is done.
    """
    known = np.flatnonzero(labels != UNLABELLED)
    known = known[thin_out([groups[int(place)] for place in known])] if len(known) else known
    named, labels = [groups[int(place)] for place in known], labels[known]
    folds = deal_folds(labels, named) if len(np.unique(labels)) > 1 else None
    if folds is None:
        return LearningCurve()
    learnt_from = features[known]
    order = _shuffle(labels, named)
    points: list[CurvePoint] = []
    with blas_on_one_core():
        for done, share in enumerate(SHARES):
            point = _measure(learnt_from, labels, folds, classes, order < share)
            if not points or point.pictures > points[-1].pictures:
                points.append(point)
            report((done + 1) / len(SHARES))
    return LearningCurve(points=points, twice=_follow(points, len(labels)))


def _shuffle(labels: Ints, groups: Sequence[str]) -> NDArray[np.float64]:
    """Return where each picture stands in its class, (N,), 0 to 1 by chance, those of a group side by side.

    The first few of a class are below any share.
    """
    random = np.random.default_rng(0)
    numbers = np.unique(groups, return_inverse=True)[1]
    rank = random.permutation(int(numbers.max()) + 1)[numbers]
    found = np.zeros(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        sorted_members = members[np.argsort(rank[members], kind="stable")]
        found[sorted_members[LEAST_OF_CLASS:]] = np.arange(LEAST_OF_CLASS, len(members)) / len(members)
    return found


def _measure(features: Floats, labels: Ints, folds: Ints, classes: int, taken: NDArray[np.bool_]) -> CurvePoint:
    hits, learnt = 0, []
    for fold in range(int(folds.max()) + 1):
        training = taken & (folds != fold)
        head = fit_head(features[training], labels[training], classes, penalty=PENALTY)
        judged = folds == fold
        hits += int((head.logits(features[judged]).argmax(axis=1) == labels[judged]).sum())
        learnt.append(int(training.sum()))
    return CurvePoint(pictures=round(float(np.mean(learnt))), accuracy=round(hits / len(labels), 5))


def _follow(points: Sequence[CurvePoint], judged: int) -> CurvePoint | None:
    """Fit error = a * pictures^-b to the points, of pictures judged, and follow it from the last point."""
    if len(points) < 3:
        return None
    # An error of nothing is less than one in twice as many as were judged, and has no logarithm.
    errors = np.maximum([1 - point.accuracy for point in points], 0.5 / judged)
    slope, _ = np.polyfit(np.log([point.pictures for point in points]), np.log(errors), 1)
    last = points[-1]
    error = (1 - last.accuracy) * 2 ** min(float(slope), 0.0)
    return CurvePoint(pictures=2 * last.pictures, accuracy=round(1 - error, 5))
