"""Estimate how good a head is where there are too few test pictures to tell: by cross-validation.

The pictures are dealt into folds, those of a group together and each class evenly. Each fold is classified by a head
that was trained without it (Stone 1974, Cross-validatory choice and assessment of statistical predictions), so that
every picture counts, and none is judged by a head that has seen it or another one of its group.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ml.training.head import Floats, Head, Ints, LabelledFeatures

FOLDS = 5
LEAST_FOLDS = 3  # one to judge, one to choose the settings, the rest to train on
MOST_PICTURES = 3000  # more of few groups, such as frames of videos, would only take longer

TrainFold = Callable[[LabelledFeatures, LabelledFeatures], Head]  # from training and validation


def cross_validate(features: Floats, labels: Ints, folds: Ints, classes: int, train: TrainFold) -> Floats:
    """Return the probabilities, float32 (N, classes), of pictures by heads that have not seen their fold.

    Args:
        features: float32 (N, F).
        labels: class indices (N,).
        folds: (N,), from 0, as `deal_folds` returns them. Of the others, the next one is for validation.
        train: trains a head.
    """
    count = int(folds.max()) + 1
    found = np.zeros((len(labels), classes), np.float32)
    for fold in range(count):
        judged, validation = folds == fold, folds == (fold + 1) % count
        training = ~(judged | validation)
        head = train(
            LabelledFeatures(features[training], labels[training]),
            LabelledFeatures(features[validation], labels[validation]),
        )
        found[judged] = head.probabilities(features[judged])
    return found


def thin_out(groups: Sequence[str]) -> Ints:
    """Return the places of at most about MOST_PICTURES pictures, the same share of each group."""
    step = -(-len(groups) // MOST_PICTURES)
    return np.sort(np.argsort(groups, kind="stable")[::step])


def deal_folds(labels: Ints, groups: Sequence[str], least: int = LEAST_FOLDS) -> Ints | None:
    """Return the fold of each picture, (N,), from 0; None if a class has too few groups for it.

    Args:
        labels: class indices (N,).
        groups: (N,), of each picture; no two that belong together may have different ones.
        least: how many folds there must be.
    """
    numbers = np.unique(groups, return_inverse=True)[1]
    per_class = [np.unique(numbers[labels == label]).size for label in np.unique(labels)]
    count = min([FOLDS, *per_class])
    if count < least:
        return None
    fold_of = np.full(numbers.max() + 1, -1)
    for label in np.unique(labels):
        filled = np.zeros(count, np.int64)
        sizes = np.bincount(numbers[labels == label], minlength=len(fold_of))
        for group in np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]:
            if fold_of[group] < 0:
                fold_of[group] = filled.argmin()
            filled[fold_of[group]] += sizes[group]
    return np.asarray(fold_of[numbers], np.int64)
