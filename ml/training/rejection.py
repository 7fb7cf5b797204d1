"""Decide when a classifier says “none of these” (the reject option of Chow 1970): one rule for all that answer.

A picture is refused because it is unlike the training pictures, because its answer is less probable than answers must
be for the wanted precision, or because the answer is the class for other things.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ml.training.head import Floats, Ints
from ml.training.out_of_distribution import Detector

NEVER = 2.0  # the least probability of a class that is never right enough


class Reason(StrEnum):
    """Why a picture is refused, the first that holds; exports know their order."""

    NONE = ""
    UNLIKE = "unlike"
    UNSURE = "unsure"
    OTHER = "other"


SENTENCES = {
    Reason.NONE: "",
    Reason.UNLIKE: "It is unlike all the pictures that this version was trained on.",
    Reason.UNSURE: "The likeliest class is less certain than you asked answers to be.",
    Reason.OTHER: "It looks like the pictures of other things.",
}


@dataclass(frozen=True)
class Rejection:
    """What a classifier needs to refuse pictures.

    Attributes:
        detector: tells pictures that are unlike those trained on; None if there were too few, or nothing is known.
        least_probabilities: of an answer of each class, float32 (C,); None if all are given.
        others: the class indices that mean “none of these”.
    """

    detector: Detector | None = None
    least_probabilities: Floats | None = None
    others: tuple[int, ...] = ()

    def likeness(self, features: Floats) -> Floats | None:
        """Return the likeness of pictures with features (N, F) to those trained on, (N,), if it is known."""
        return None if self.detector is None else self.detector.likeness(features)

    def judge(self, probabilities: Floats, likeness: Floats | None) -> list[Reason]:
        """Return why each picture is refused, for probabilities (N, C) and what `likeness` returned."""
        found = [Reason.NONE] * len(probabilities)
        for reason, places in self._tell(probabilities, likeness):
            for place in places.nonzero()[0]:
                found[place] = reason
        return found

    def _tell(self, probabilities: Floats, likeness: Floats | None) -> Iterator[tuple[Reason, NDArray[np.bool_]]]:
        """Yield each reason with the pictures it holds for, the one that counts most last."""
        if self.others:
            yield Reason.OTHER, np.isin(probabilities.argmax(axis=1), self.others)
        if self.least_probabilities is not None:
            least = self.least_probabilities[probabilities.argmax(axis=1)]
            yield Reason.UNSURE, probabilities.max(axis=1) < least
        if self.detector is not None and likeness is not None:
            yield Reason.UNLIKE, likeness < np.float32(self.detector.least_likeness)


NOTHING_REFUSED = Rejection()


def refused(reasons: Sequence[Reason]) -> NDArray[np.bool_]:
    """Return which pictures are refused, (N,)."""
    return np.array([reason != Reason.NONE for reason in reasons], bool)


def measure_rejection(reasons: Sequence[Reason], labels: Ints, others: Sequence[int]) -> dict[str, int]:
    """Return how many of the test pictures are refused, of the classes and of other things, as plain data."""
    is_refused, is_other = refused(reasons), np.isin(labels, others)
    return {
        "n": int((~is_other).sum()),
        "refused": int((is_refused & ~is_other).sum()),
        "others": int(is_other.sum()),
        "others_refused": int((is_refused & is_other).sum()),
    }


def least_probabilities(probabilities: Floats, labels: Ints, precision: float) -> Floats:
    """Return the least probability of an answer of each class, float32 (C,), at which answers are precise enough.

    Of the unseen pictures with at least that probability for the class, at least the share `precision` is right. NEVER
    for a class of which that is never so.

    Args:
        probabilities: of unseen pictures, (N, C).
        labels: their class indices, (N,).
        precision: 0 to 1.
    """
    answered, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    found = np.full(probabilities.shape[1], NEVER, np.float32)
    for label in range(probabilities.shape[1]):
        own = np.flatnonzero(answered == label)
        if not len(own):
            found[label] = 0.0  # nothing speaks against it
            continue
        order = own[np.argsort(-confidence[own], kind="stable")]
        precise = np.cumsum(labels[order] == label) / np.arange(1, len(order) + 1) >= precision
        last_of_equals = np.append(np.diff(confidence[order]) < 0, True)
        places = np.flatnonzero(precise & last_of_equals)
        if len(places) == 0:
            continue
        found[label] = 0.0 if places[-1] == len(order) - 1 else confidence[order[places[-1]]]
    return found
