"""Define the trained last layer and what training one needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.errors import Refused

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Report(Protocol):
    """A function that is told the progress of a stage, as a fraction from 0 to 1, and a point of the curve if any."""

    def __call__(self, stage: str, fraction: float, **point: float) -> None: ...


class StepCallback(Protocol):
    """A function that sees the head at each point of the curve; `scalars` are the values that steer the recipe.

    `validated` is (accuracy, cross-entropy in nats) where the head itself has seen the validation pictures, and others
    like it have been cross-validated.
    """

    def __call__(
        self,
        step: int,
        head: "Head",
        *,
        is_last: bool = False,
        validated: tuple[float, float] | None = None,
        **scalars: float,
    ) -> None: ...


class EmptySplit(Refused):
    """There are no pictures to train on, or none to validate on. The message is a sentence for the user."""

    def __init__(self, split: str) -> None:
        super().__init__(
            f"There are no pictures in the {split} split. Add pictures, at least three of each class; those that belong"
            " together, such as the frames of a video, count as one."
        )


class TrainingDiverged(Refused):
    """The numbers of the head grew without bounds. The message is a sentence for the user."""


@dataclass(frozen=True)
class Head:
    """A dense layer with softmax: weights (F, C) and bias (C,), both float32."""

    weights: Floats
    bias: Floats

    def probabilities(self, features: Floats) -> Floats:
        """Return the probabilities, float32 (N, C) with rows that sum to 1, for features (N, F)."""
        return softmax(self.logits(features))

    def logits(self, features: Floats) -> Floats:
        """Return the logits, float32 (N, C), for features (N, F)."""
        return np.asarray(features @ self.weights + self.bias, np.float32)


@dataclass(frozen=True)
class LabelledFeatures:
    """The pictures of one split.

    Attributes:
        features: float32 (N, F).
        labels: class indices (N,).
        groups: of each picture, (P,); those of a group are not independent of each other. Without them each is alone.
            Augmented copies follow the P pictures themselves, all in the same order: N is a multiple of P.
    """

    features: Floats
    labels: Ints
    groups: Sequence[str] | None = None

    @property
    def pictures(self) -> int:
        """Return P, the number of pictures without their augmented copies."""
        return len(self.labels) if self.groups is None else len(self.groups)


@dataclass(frozen=True)
class OutOfSample:
    """What heads make of pictures that they have not seen.

    Attributes:
        logits: float32 (N, C).
        labels: class indices (N,).
        folds: how many such heads there are, where they have cross-validated the pictures of training and validation;
            0 where it is the head itself, on the validation pictures.
    """

    logits: Floats
    labels: Ints
    folds: int = 0


@dataclass(frozen=True)
class Fitted:
    """The head that a recipe gives, and how such heads judge pictures that they have not seen."""

    head: "Head"
    out_of_sample: OutOfSample


def judge_validation(head: Head, validation: LabelledFeatures) -> Fitted:
    """Return a head with its answers on the validation pictures, which it has not seen."""
    return Fitted(head, OutOfSample(head.logits(validation.features), validation.labels))


def softmax(logits: Floats) -> Floats:
    """Return the softmax of each row of logits (N, C) as float32; large logits do not overflow."""
    # The ufuncs, because the methods `max` and `sum` go through Python, which one picture would wait for.
    exponents = np.exp(logits - np.maximum.reduce(logits, axis=1, keepdims=True))
    return np.asarray(exponents / np.add.reduce(exponents, axis=1, keepdims=True), np.float32)


def no_callback(
    step: int,
    head: Head,
    *,
    is_last: bool = False,
    validated: tuple[float, float] | None = None,
    **scalars: float,
) -> None:
    """Do nothing; the default for callers that need no callback."""


def measure_point(step: int, training_loss: float, logits: Floats, labels: Ints) -> dict[str, float]:
    """Return one point of the curve.

    logits (N, C) and labels (N,) belong to the validation split; the losses are mean cross-entropies in nats, and that
    of validation weighs all classes the same.
    """
    return {
        "step": step,
        "training_loss": round(training_loss, 5),
        "validation_loss": round(balanced_loss(logits, labels), 5),
        "validation_accuracy": round(float(np.mean(logits.argmax(axis=1) == labels)), 5),
    }


def balanced_loss(logits: Floats, labels: Ints) -> float:
    """Return the mean cross-entropy in nats over the classes present, each with the same weight.

    logits are (N, C), labels (N,).
    """
    sums, counts = np.bincount(labels, cross_entropies(logits, labels)), np.bincount(labels)
    return float(np.mean(sums[counts > 0] / counts[counts > 0]))


def cross_entropies(logits: Floats, labels: Ints) -> NDArray[np.float64]:
    """Return the cross-entropy in nats of each row, (N,); logits are (N, C), labels (N,)."""
    # Computed in double precision from the logits, because float32 probabilities vanish below 1e-45.
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels])
