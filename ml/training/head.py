"""The trained last layer, and how to train one. TensorFlow is imported only where it trains."""

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ml.errors import Refused

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Report(Protocol):
    """Tell how far a stage is: its name, the part of it that is done, from 0 to 1, and a point of the curve if any."""

    def __call__(self, stage: str, fraction: float, **point: float) -> None: ...


class StepCallback(Protocol):
    """Look at a head while it is trained, at each point of the curve; `scalars` are what the recipe steers by."""

    def __call__(self, step: int, head: "Head", *, is_last: bool = False, **scalars: float) -> None: ...


class EmptySplit(Refused):
    """There is no picture to train on, or none to choose by. The message is a sentence for the user."""


class TrainingDiverged(Refused):
    """The numbers of the head grew out of all bounds. The message is a sentence for the user."""


@dataclass(frozen=True)
class Head:
    """A dense layer with softmax. weights: (F, C), bias: (C,), float32."""

    weights: Floats
    bias: Floats

    def probabilities(self, features: Floats) -> Floats:
        """features (N, F) -> probabilities (N, C), each row summing to 1."""
        return softmax(features @ self.weights + self.bias)


@dataclass(frozen=True)
class Split:
    """Pictures of one split. features: (N, F) float32, labels: (N,) class indices."""

    features: Floats
    labels: Ints


def softmax(logits: Floats) -> Floats:
    """Row by row, safe for large logits."""
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), np.float32)


def no_callback(step: int, head: Head, *, is_last: bool = False, **scalars: float) -> None:
    """Do nothing: the callback of those who want none."""


@functools.cache
def prepare_tensorflow() -> Any:
    """TensorFlow, made deterministic: the same inputs and seed give the same bits on one kind of machine.

    What is drawn by chance is drawn by NumPy from the config's seed, so TensorFlow needs none.
    """
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    return tf


def measure_point(step: int, training_loss: float, logits: Floats, labels: Ints) -> dict[str, float]:
    """One point of the curve. logits (N, C) and labels (N,) are validation's; losses are mean cross-entropy
    in nats.
    """
    return {
        "step": step,
        "training_loss": round(training_loss, 5),
        "validation_loss": round(balanced_loss(logits, labels), 5),
        "validation_accuracy": round(float(np.mean(logits.argmax(axis=1) == labels)), 5),
    }


def balanced_loss(logits: Floats, labels: Ints) -> float:
    """Mean cross-entropy over the classes present, each weighing alike. logits (N, C), labels (N,)."""
    # In double precision from the logits, not from float32 probabilities, which end at 1e-45.
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
    sums, counts = np.bincount(labels, losses), np.bincount(labels)
    return float(np.mean(sums[counts > 0] / counts[counts > 0]))
