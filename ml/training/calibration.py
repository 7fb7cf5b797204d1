"""Calibrate a head: make its probabilities as high as it is right.

Temperature scaling (Guo, Pleiss, Sun, Weinberger 2017, On calibration of modern neural networks) divides all logits by
one number, so that no answer changes but its probability. That number can be folded into the head, so that whatever
runs the head is calibrated.
"""

import numpy as np
from numpy.typing import NDArray

from ml.training.head import Floats, Head, Ints, OutOfSample

PRIOR = 0.7  # the standard deviation of the temperature's logarithm, before anything is known
LEAST, MOST = 0.05, 20.0
BINS = 15  # of equal width, as in Guo et al. 2017


def fit_temperature(judged: OutOfSample) -> float:
    """Return the temperature at which the logits of unseen pictures are most probable.

    With few pictures it stays near 1: a log-normal prior keeps a handful of right answers from making it certain.
    """
    if not len(judged.labels):
        return 1.0
    from scipy.optimize import minimize_scalar

    shifted = judged.logits.astype(np.float64) - judged.logits.max(axis=1, keepdims=True)
    given = shifted[np.arange(len(shifted)), judged.labels]

    def loss(logarithm: float) -> float:
        cooled = shifted / np.exp(logarithm)
        entropy = np.log(np.exp(cooled).sum(axis=1)) - given / np.exp(logarithm)
        return float(entropy.sum()) + 0.5 * (logarithm / PRIOR) ** 2

    found = minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded")
    return float(np.exp(found.x))


def cool(head: Head, temperature: float) -> Head:
    """Return the head whose logits are those of `head`, divided by the temperature."""
    divisor = np.float32(temperature)
    return Head(head.weights / divisor, head.bias / divisor)


def calibration_error(right: NDArray[np.bool_], confidence: Floats) -> float | None:
    """Return the expected calibration error over BINS bins of equal width (Naeini, Cooper, Hauskrecht 2015).

    That is the mean distance between how probable answers are said to be and how many of them are right; None without
    any pictures.

    Args:
        right: whether each picture's answer is right, (N,).
        confidence: the probability of each answer, (N,).
    """
    if not len(right):
        return None
    gaps = np.bincount(bins_of(confidence), right - confidence.astype(np.float64), minlength=BINS)
    return round(float(np.abs(gaps).sum() / len(right)), 6)


def bins_of(confidence: Floats) -> Ints:
    """Return the bin of each probability, (N,): above place / BINS, and at most (place + 1) / BINS."""
    return np.asarray(np.clip(np.ceil(confidence.astype(np.float64) * BINS) - 1, 0, BINS - 1), np.int64)
