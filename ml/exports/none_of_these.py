"""Put the rule for “none of these” (`ml.training.rejection`) into a graph, for every format that is one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.training.out_of_distribution import NEAREST
from ml.training.rejection import NEVER, Rejection

OUTPUT = "none_of_these"
SIGNATURE = f"with_{OUTPUT}"  # where the usual one may have no other output


def least_of_answers(rejection: Rejection, classes: int) -> NDArray[np.float32] | None:
    """Return the least probability of an answer of each class, (C,), NEVER for other things; None if all are given."""
    if rejection.least_probabilities is None and not rejection.others:
        return None
    least = np.zeros(classes, np.float32) if rejection.least_probabilities is None else rejection.least_probabilities
    least = least.copy()
    least[list(rejection.others)] = NEVER
    return least


def refuse(features: Any, probabilities: Any, rejection: Rejection) -> Any | None:
    """Return whether pictures show none of the classes, a tensor of bool (N,); None if nothing is ever refused.

    `features` (N, F) and `probabilities` (N, C) are tensors of Keras or of a TensorFlow graph.
    """
    from keras import ops

    refused: list[Any] = []
    least = least_of_answers(rejection, probabilities.shape[-1])
    if least is not None:
        best = ops.max(probabilities, axis=-1, keepdims=True)
        is_answer = ops.logical_and(ops.greater_equal(probabilities, best), ops.greater_equal(probabilities, least))
        refused.append(ops.logical_not(ops.any(is_answer, axis=-1)))
    if rejection.detector is not None:
        directions = np.ascontiguousarray(rejection.detector.directions.T)
        # One operation of TensorFlow Lite, which has it for whole numbers as well.
        cosines = ops.matmul(ops.normalize(features, axis=-1, order=2, epsilon=1e-12), directions)
        nearest, _ = ops.top_k(cosines, min(NEAREST, directions.shape[1]))
        refused.append(ops.mean(nearest, axis=-1) < np.float32(rejection.detector.least_likeness))
    return None if not refused else ops.logical_or(refused[0], refused[-1])
