"""Find labels that are probably wrong, by confident learning (Northcutt, Jiang, Chuang 2021).

Each picture is classified by heads that were trained without it and without any other of its group, and the answers of
several such rounds are averaged. A label is suspected where another class is much more probable. On which features,
heads and score: see docs/decisions/0015-checking-pictures.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ml.blas import blas_on_one_core
from ml.training.softmax_regression import fit_head

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

UNLABELLED = -1
FOLDS = 8
ROUNDS, MANY = 3, 5000  # of more labelled pictures one round says as much
LEAST_GROUPS = 5  # of a class whose labels are doubted: a head that has seen fewer knows nothing of it
PENALTY = 1.0  # of heads that judge: strong, so that they do not learn wrong labels by heart
LEAST_RATIO = 1.1  # of the probabilities of the predicted class and of the given one

Report = Callable[[float], None]


@dataclass(frozen=True)
class Judgement:
    """What heads make of pictures that they have not seen.

    Attributes:
        probabilities: float32 (N, C).
        predicted: the most probable class, (N,).
        suspicion: float32 (N,), larger where the label is more probably wrong; 0 where it is not suspected.
    """

    probabilities: Floats
    predicted: Ints
    suspicion: Floats

    @cached_property  # it is asked for picture by picture
    def confidence(self) -> Floats:
        """Return the probability of the predicted class."""
        return np.asarray(self.probabilities.max(axis=1, initial=0), np.float32)

    @cached_property
    def uncertainty(self) -> Floats:
        """Return 1 minus the distance between the two most probable classes."""
        if self.probabilities.shape[1] < 2:
            return np.zeros(len(self.predicted), np.float32)
        first_two = np.partition(self.probabilities, -2, axis=1)[:, -2:]
        return 1 - (first_two[:, 1] - first_two[:, 0])


def judge_labels(
    features: Floats, labels: Ints, groups: Sequence[str], classes: int, report: Report = lambda _: None
) -> Judgement:
    """Judge the labels of pictures, and predict the class of those that have none.

    Args:
        features: of all pictures, (N, D), as `ml.audit.vectors.make_vectors` returns them.
        labels: class indices (N,), UNLABELLED for pictures without one.
        groups: (N,), of each picture; no two that belong together may have different ones.
        report: called with the share that is done.
    """
    known = np.flatnonzero(labels != UNLABELLED)
    probabilities = np.full((len(labels), classes), 1 / max(classes, 1), np.float32)
    if len(np.unique(labels[known])) < 2:
        return Judgement(probabilities, np.maximum(labels, 0), np.zeros(len(labels), np.float32))
    numbers = np.unique([groups[int(place)] for place in known], return_inverse=True)[1]
    unknown = labels == UNLABELLED
    with blas_on_one_core():
        probabilities[known] = _cross_validate(features[known], labels[known], numbers, classes, report)
        if unknown.any():
            head = fit_head(features[known], labels[known], classes, penalty=PENALTY)
            probabilities[unknown] = head.probabilities(features[unknown])
    suspicion = np.zeros(len(labels), np.float32)
    suspicion[known] = _suspect(probabilities[known], labels[known], numbers)
    return Judgement(probabilities, probabilities.argmax(axis=1), suspicion)


def _cross_validate(features: Floats, labels: Ints, groups: Ints, classes: int, report: Report) -> Floats:
    rounds = ROUNDS if len(labels) <= MANY else 1
    found = np.zeros((len(labels), classes), np.float32)
    random = np.random.default_rng(0)
    for turn in range(rounds):
        folds = _deal_folds(labels, groups, random)
        for fold in range(FOLDS):
            judged = folds == fold
            if judged.any() and not judged.all():
                head = fit_head(features[~judged], labels[~judged], classes, penalty=PENALTY)
                found[judged] += head.probabilities(features[judged]) / rounds
            report((turn * FOLDS + fold + 1) / (rounds * FOLDS))
    return found


def _deal_folds(labels: Ints, groups: Ints, random: np.random.Generator) -> Ints:
    """Deal whole groups into folds, those of each class evenly. A group counts for the class of one of its pictures."""
    _, first = np.unique(groups, return_index=True)
    class_of = labels[first]
    shuffled = random.permutation(len(class_of))
    order = shuffled[np.argsort(class_of[shuffled], kind="stable")]
    fold_of = np.empty(len(class_of), np.int64)
    fold_of[order] = (np.arange(len(order)) + random.integers(FOLDS)) % FOLDS
    return np.asarray(fold_of[groups], np.int64)


def _suspect(probabilities: Floats, labels: Ints, groups: Ints) -> Floats:
    """Return the suspicion of each label: how improbable the given class is, plus by how much another is more so."""
    given = np.take_along_axis(probabilities, labels[:, np.newaxis], 1)[:, 0]
    best, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
    class_sizes = np.zeros(probabilities.shape[1], np.int64)
    for label in np.unique(labels):
        class_sizes[label] = np.unique(groups[labels == label]).size
    doubtful = (predicted != labels) & (best >= LEAST_RATIO * given) & (class_sizes[labels] >= LEAST_GROUPS)
    return np.where(doubtful, (1 - given) + (best - given), 0).astype(np.float32)
