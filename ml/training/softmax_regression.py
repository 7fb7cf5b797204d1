"""Fit heads by L2-regularised multinomial logistic regression with L-BFGS (Nocedal 1980, by SciPy).

With fewer pictures than features the best weights lie in the span of the pictures (the representer theorem, Schölkopf,
Herbrich, Smola 2001), so that a problem of sixty pictures has sixty unknowns a class and not 1,280.
"""

import functools
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.machine import CORES
from ml.training.head import Floats, Head, Ints, balanced_loss

MAX_ITERATIONS = 200  # for one penalty; L-BFGS from the last solution needs 5 to 30
BLOCK, PARTS = 512, 8  # rows that are computed together; parts that threads share
_LEAST_SPREAD = 1e-9  # of a direction, compared with the widest; less is rounding

Flat = NDArray[np.float64]  # the weights and below them the bias, (D + 1) x C, as one row of numbers
Watch = Callable[[Flat], None]


@dataclass(frozen=True)
class _Scaler:
    """A transformation that centres each feature and divides all by one number.

    It makes a penalty mean the same for any backbone.
    """

    mean: Floats
    scale: np.float32

    @classmethod
    def fit(cls, features: Floats) -> "_Scaler":
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        squares = features - mean
        np.square(squares, out=squares)  # in place: the features may be most of the memory
        spread = float(np.sqrt(np.mean(squares, dtype=np.float64)))
        return cls(mean, np.float32(spread or 1.0))

    def apply(self, features: Floats) -> Floats:
        scaled = features - self.mean
        scaled /= self.scale  # in place
        return scaled

    def fold_into(self, weights: Floats, bias: Floats) -> Head:
        """Return a head that gives the same answers from unscaled features."""
        unscaled = weights / self.scale
        moved = bias - self.mean.astype(np.float64) @ unscaled.astype(np.float64)
        return Head(unscaled, moved.astype(np.float32))


class SoftmaxRegression:
    """The objective for a set of pictures: weighted cross-entropy plus penalty / 2 |weights|².

    All classes weigh the same, however many pictures they have, and the bias is not penalised. Nothing is random.
    """

    def __init__(self, features: Floats, labels: Ints, classes: int) -> None:
        """Prepare the problem from features, float32 (N, F), and class indices (N,); a class may have no pictures."""
        self._scaler = _Scaler.fit(features)
        scaled = self._scaler.apply(features)
        self._basis = _span(scaled) if len(scaled) < scaled.shape[1] else None
        self._features = scaled if self._basis is None else scaled @ self._basis
        self._labels, self._classes = labels, classes
        counts = np.bincount(labels, minlength=classes)
        self._sample_weights = (1.0 / (counts[labels] * np.count_nonzero(counts))).astype(np.float32)

    def start(self) -> Flat:
        """Return the point from which the first penalty begins."""
        return np.zeros((self._features.shape[1] + 1) * self._classes)

    def minimise(self, penalty: float, start: Flat, watch: Watch | None = None) -> Flat:
        """Return the best point for a penalty; `watch` sees the point after each iteration."""
        from scipy.optimize import minimize

        def objective(flat: Flat) -> tuple[float, Flat]:
            loss, gradient = self._evaluate(flat)
            penalised = flat.copy()
            penalised[-self._classes :] = 0.0
            return loss + 0.5 * penalty * float(penalised @ penalised), gradient + penalty * penalised

        options = {"maxiter": MAX_ITERATIONS, "ftol": 1e-7, "gtol": 1e-4}
        found = minimize(objective, start, jac=True, method="L-BFGS-B", callback=watch, options=options)
        return np.asarray(found.x, np.float64)

    def loss(self, flat: Flat) -> float:
        """Return the cross-entropy in nats at a point, without the penalty."""
        weights, bias = self._split(flat)
        return balanced_loss(np.asarray(self._features @ weights + bias, np.float32), self._labels)

    def head(self, flat: Flat) -> Head:
        """Return the head of a point, for features as they came."""
        weights, bias = self._split(flat)
        return self._scaler.fold_into(weights if self._basis is None else self._basis @ weights, bias)

    def _split(self, flat: Flat) -> tuple[Floats, Floats]:
        table = flat.reshape(-1, self._classes).astype(np.float32)
        return table[:-1], table[-1]

    def _evaluate(self, flat: Flat) -> tuple[float, Flat]:
        """Return the loss and its gradient, both without the penalty."""
        weights, bias = self._split(flat)
        bounds = np.linspace(0, len(self._labels), min(PARTS, -(-len(self._labels) // BLOCK)) + 1).astype(int)
        ranges = list(itertools.pairwise(bounds.tolist()))
        # Added up in the same order however many cores there are, so that the same inputs give the same bits.
        run = _pool().map if len(ranges) > 1 else map
        parts = list(run(lambda part: self._evaluate_part(part[0], part[1], weights, bias), ranges))
        gradient = np.sum([part for _, part in parts], axis=0)
        return sum(loss for loss, _ in parts), gradient.ravel().astype(np.float64)

    def _evaluate_part(self, first: int, end: int, weights: Floats, bias: Floats) -> tuple[float, Floats]:
        """Return the loss and the gradient, (D + 1, C), of some of the rows, block by block.

        A block is still in the processor's cache when the second product needs it.
        """
        loss, gradient = 0.0, np.zeros((len(weights) + 1, self._classes), np.float32)
        for start in range(first, end, BLOCK):
            rows = slice(start, min(start + BLOCK, end))
            features, labels, sample_weights = self._features[rows], self._labels[rows], self._sample_weights[rows]
            logits = features @ weights
            logits += bias
            logits -= logits.max(axis=1, keepdims=True)
            places = np.arange(len(labels)), labels
            given = logits[places]
            np.exp(logits, out=logits)
            sums = logits.sum(axis=1)
            loss += float(sample_weights @ (np.log(sums) - given))
            logits *= (sample_weights / sums)[:, np.newaxis]
            logits[places] -= sample_weights
            gradient[:-1] += features.T @ logits
            gradient[-1] += logits.sum(axis=0)
        return loss, gradient


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CORES, "softmax regression")


def fit_head(features: Floats, labels: Ints, classes: int, *, penalty: float) -> Head:
    """Return the head for one penalty; the other arguments as for `SoftmaxRegression`."""
    problem = SoftmaxRegression(features, labels, classes)
    return problem.head(problem.minimise(penalty, problem.start()))


def _span(scaled: Floats) -> Floats:
    """Return an orthonormal basis, (F, D), of the span of the rows (N, F), D at most N."""
    exact = scaled.astype(np.float64)
    spreads, directions = np.linalg.eigh(exact @ exact.T)
    kept = spreads > max(float(spreads[-1]), 0.0) * _LEAST_SPREAD
    return np.asarray(exact.T @ (directions[:, kept] / np.sqrt(spreads[kept])), np.float32)
