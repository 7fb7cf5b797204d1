"""Tell pictures that are unlike all training pictures: those that show none of the classes.

The score is a picture's likeness: the mean cosine of its features with those of the nearest training pictures (Sun,
Ming, Zhu, Li 2022, Out-of-distribution detection with deep nearest neighbors). Of the training pictures only some
exemplars are kept, chosen so that they lie far apart and rounded to eight bits, which makes no difference that can be
measured. How this compares with other methods: see docs/decisions/0017-none-of-these.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ml.training.cross_validation import deal_folds
from ml.training.diversity import k_center_greedy
from ml.training.head import Floats, Ints

NEAREST = 3  # exemplars
ACCEPTED, LEAST_ACCEPTED = 0.97, 0.95  # of the pictures of the classes; where it is known what else there is, the least
FAR = 0.9  # the share of pictures that are less like other classes than what counts as their distance
MOST_COMPARED = 20  # classes, which say how far they lie apart
MOST_PICTURES = 1000  # from which exemplars are chosen, an even share of each class
MOST_EXEMPLARS, LEAST_OF_CLASS = 128, 3
LEAST_PICTURES = 6  # with fewer nothing can be said
STEPS = 127  # of an eight-bit number


@dataclass(frozen=True)
class Detector:
    """What tells whether a picture shows any of the classes.

    Attributes:
        exemplars: int8 (M, F), the features of training pictures scaled to unit length, in steps of `steps`.
        steps: float32 (M,).
        least_likeness: of a picture that is accepted.
    """

    exemplars: NDArray[np.int8]
    steps: Floats
    least_likeness: float

    def likeness(self, features: Floats) -> Floats:
        """Return the likeness of pictures with features (N, F) to the training pictures, float32 (N,), -1 to 1."""
        cosines = to_unit(features) @ self.directions.T
        nearest = min(NEAREST, cosines.shape[1])
        cosines.partition(-nearest, axis=1)
        return np.asarray(np.add.reduce(cosines[:, -nearest:], axis=1) / nearest, np.float32)

    @cached_property
    def directions(self) -> Floats:
        """Return the exemplars as float32 (M, F); kept, because an answer would wait for making them."""
        return np.asarray(self.exemplars * self.steps[:, np.newaxis], np.float32)

    @property
    def nbytes(self) -> int:
        """Return the bytes in memory, with the directions."""
        return self.exemplars.nbytes * (1 + self.steps.itemsize) + self.steps.nbytes


def to_unit(features: Floats) -> Floats:
    """Return features (N, F) scaled to length 1; what is not finite counts as 0."""
    squares = np.vecdot(features, features)  # `linalg.norm` takes three times as long for one picture
    if not np.isfinite(squares).all():
        features = np.where(np.isfinite(features), features, np.float32(0))
        squares = np.vecdot(features, features)
    lengths = np.maximum(np.sqrt(squares), np.float32(1e-12))
    return np.asarray(features / lengths[:, np.newaxis], np.float32)


def fit_detector(
    features: Floats, labels: Ints, groups: Sequence[str], others: Floats | None = None
) -> Detector | None:
    """Choose exemplars, and a threshold that accepts most unseen pictures; None with too few pictures.

    Args:
        features: float32 (N, F), of all pictures that may be learnt from.
        labels: class indices (N,).
        groups: (N,), of each picture; none is compared with others of its group.
        others: float32 (K, F), of pictures that show none of the classes, if there are any.
    """
    if len(labels) < LEAST_PICTURES:
        return None
    chosen = even_share(labels)
    units, labels, groups = to_unit(features[chosen]), labels[chosen], [groups[place] for place in chosen]
    folds = deal_folds(labels, groups, least=2)
    if folds is None:
        return None
    own = np.empty(len(labels), np.float32)
    for fold in range(int(folds.max()) + 1):
        judged = folds == fold
        own[judged] = _make(units[~judged], labels[~judged]).likeness(units[judged])
    found = _make(units, labels)
    if others is not None and len(others):
        return replace(found, least_likeness=_between(own, found.likeness(others)))
    return replace(found, least_likeness=_below(own, _likeness_of_classes(units, labels)))


def _below(own: Floats, of_classes: Floats) -> float:
    """Return a threshold that accepts ACCEPTED of the pictures, and more where the classes lie far apart.

    What differs from a class as much as another class does is something else. So where pictures are much more like
    their own class than like the others, the threshold lies half-way: the few pictures that there are may be more
    alike than those to come.
    """
    least = float(np.quantile(own, 1 - ACCEPTED))
    apart = float(np.quantile(of_classes, FAR)) if len(of_classes) else least
    return min(least, (least + apart) / 2)


def _between(own: Floats, others: Floats) -> float:
    """Return the threshold that tells pictures of the classes best from others, and accepts at least LEAST_ACCEPTED."""
    candidates = np.quantile(own, np.linspace(0, 1 - LEAST_ACCEPTED, 21))
    told = [np.mean(own >= one) + np.mean(others < one) for one in candidates]
    return float(candidates[int(np.argmax(told))])


def _likeness_of_classes(units: Floats, labels: Ints) -> Floats:
    """Return how alike pictures are to the training pictures of the other classes."""
    if len(np.unique(labels)) < 2:
        return np.empty(0, np.float32)
    found = [
        _make(units[labels != label], labels[labels != label]).likeness(units[labels == label])
        for label in np.unique(labels)[:MOST_COMPARED]
    ]
    return np.concatenate(found)


def even_share(labels: Ints) -> Ints:
    """Return the places of at most about MOST_PICTURES pictures, as many of each class as there are, if they may."""
    found = np.unique(labels)
    share = max(MOST_PICTURES // max(len(found), 1), LEAST_OF_CLASS)
    places = []
    for label in found:
        members = np.flatnonzero(labels == label)
        places.append(members[np.linspace(0, len(members) - 1, min(share, len(members))).astype(int)])
    return np.sort(np.concatenate(places)) if places else np.empty(0, np.int64)


def _make(units: Floats, labels: Ints) -> Detector:
    found = np.unique(labels)
    share = max(MOST_EXEMPLARS // len(found), LEAST_OF_CLASS)
    chosen = []
    for label in found:
        members = np.flatnonzero(labels == label)
        chosen.append(members[k_center_greedy(units[members], share)])
    directions = units[np.concatenate(chosen)]
    steps = np.maximum(np.abs(directions).max(axis=1), 1e-12) / STEPS
    return Detector(np.rint(directions / steps[:, np.newaxis]).astype(np.int8), steps.astype(np.float32), -1.0)
