"""Implement the recipe “auto”: L2-regularised multinomial logistic regression with a penalty chosen on validation."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.training.head import (
    Floats,
    Head,
    LabelledFeatures,
    Report,
    StepCallback,
    balanced_loss,
    measure_point,
    prepare_tensorflow,
)
from ml.training.recipes.recipe import Recipe, RecipeSettings

# From hardly more than the class means to practically unregularised, in steps of about a factor of three.
PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
PATIENCE = 2  # weaker penalties to try after the validation loss began to rise
PART = 8192  # pictures; the memory of much smaller parts would not be returned to the system at once
MAX_ITERATIONS = 200  # for one penalty; L-BFGS from the last solution needs 5 to 30

Flat = NDArray[np.float64]  # the weights and below them the bias, (F + 1) x C, as one row of numbers


def train_auto(
    training: LabelledFeatures,
    validation: LabelledFeatures,
    classes: int,
    settings: RecipeSettings,
    report: Report,
    callback: StepCallback,
) -> Head:
    """Minimise with L-BFGS (Nocedal 1980, by SciPy) along a path of falling penalties, each from the last solution.

    All classes weigh the same, however many pictures they have. The penalty with the least validation loss wins, and
    the path ends when weaker ones only make it worse. Nothing is random, so the seed has no effect.
    """
    scaler = _Scaler.fit(training.features)
    problem = _Problem(training, validation, classes, scaler)
    best, best_loss, best_penalty, since_best, step = problem.start(), np.inf, 0.0, 0, 0
    weights = best
    for index, penalty in enumerate(PENALTIES):

        def watch(weights: Flat, index: int = index, penalty: float = penalty) -> None:
            nonlocal step
            step += 1
            report("head", (index + 0.5) / len(PENALTIES), **problem.point(step, weights))
            callback(step, scaler.fold_into(problem.head(weights)), penalty=penalty)

        weights = problem.solve(penalty, weights, watch)
        loss = problem.validation_loss(weights)
        since_best = 0 if loss < best_loss else since_best + 1
        if loss < best_loss:
            best, best_loss, best_penalty = weights, loss, penalty
        if since_best >= PATIENCE:
            break
    # One more point for the chosen head, which may be an earlier one.
    report("head", 1.0, **problem.point(step + 1, best))
    head = scaler.fold_into(problem.head(best))
    callback(step + 1, head, is_last=True, penalty=best_penalty)
    return head


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

    def fold_into(self, head: Head) -> Head:
        """Return a head that gives the same answers from unscaled features."""
        weights = head.weights / self.scale
        bias = head.bias - self.mean.astype(np.float64) @ weights.astype(np.float64)
        return Head(weights, bias.astype(np.float32))


@dataclass(frozen=True)
class _Values:
    """The results at one point of the parameter space; `gradient` is that of the loss without the penalty."""

    weights: Flat
    loss: float
    gradient: Flat
    validation_logits: Floats


class _Problem:
    """The objective: weighted cross-entropy plus penalty/2 |weights|^2. The bias is not penalised."""

    def __init__(self, training: LabelledFeatures, validation: LabelledFeatures, classes: int, scaler: _Scaler) -> None:
        tf = prepare_tensorflow()
        self._shape = (training.features.shape[1] + 1, classes)
        self._labels = validation.labels
        counts = np.bincount(training.labels, minlength=classes)
        sample_weights = 1.0 / (counts[training.labels] * np.count_nonzero(counts))
        self._data = (
            _scaled_tensor(training.features, scaler),
            tf.one_hot(training.labels, classes),
            tf.constant(sample_weights, tf.float32),
            _scaled_tensor(validation.features, scaler),
        )
        self._last: _Values | None = None

    def start(self) -> Flat:
        return np.zeros(self._shape[0] * self._shape[1])

    def head(self, weights: Flat) -> Head:
        table = weights.reshape(self._shape).astype(np.float32)
        return Head(table[:-1], table[-1])

    def solve(self, penalty: float, start: Flat, watch: Callable[[Flat], None]) -> Flat:
        from scipy.optimize import minimize

        def objective(weights: Flat) -> tuple[float, Flat]:
            values, penalised = self._at(weights), weights.copy()
            penalised[-self._shape[1] :] = 0.0
            total = values.loss + 0.5 * penalty * float(penalised @ penalised)
            return total, values.gradient + penalty * penalised

        options = {"maxiter": MAX_ITERATIONS, "ftol": 1e-7, "gtol": 1e-4}
        found = minimize(objective, start, jac=True, method="L-BFGS-B", callback=watch, options=options)
        return np.asarray(found.x, np.float64)

    def point(self, step: int, weights: Flat) -> dict[str, float]:
        values = self._at(weights)
        return measure_point(step, values.loss, values.validation_logits, self._labels)

    def validation_loss(self, weights: Flat) -> float:
        return balanced_loss(self._at(weights).validation_logits, self._labels)

    def _at(self, weights: Flat) -> _Values:
        # The callback and the choice ask about the point that the optimiser has just evaluated.
        if self._last is None or not np.array_equal(weights, self._last.weights):
            table = prepare_tensorflow().constant(weights.reshape(self._shape), "float32")
            loss, gradient, logits = _compiled_values()(*self._data, table)
            flat = gradient.numpy().ravel().astype(np.float64)
            self._last = _Values(weights.copy(), float(loss), flat, logits.numpy())
        return self._last


def _scaled_tensor(features: Floats, scaler: _Scaler) -> Any:
    """Scale the features and copy them to TensorFlow in parts.

    TensorFlow makes two copies of its input, and with many pictures the features take most of the memory.
    """
    tf = prepare_tensorflow()
    parts = (features[start : start + PART] for start in range(0, len(features), PART))
    return tf.concat([tf.constant(scaler.apply(part)) for part in parts], axis=0)


@functools.cache
def _compiled_values() -> Any:
    """Compile the computation once per process, for any number of pictures, features and classes."""
    tf = prepare_tensorflow()
    matrix, vector = tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.float32)

    @tf.function(input_signature=[matrix, matrix, vector, matrix, matrix], autograph=False)  # type: ignore[untyped-decorator]
    def values(features: Any, targets: Any, sample_weights: Any, validation: Any, table: Any) -> Any:
        logits = tf.matmul(features, table[:-1]) + table[-1]
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        error = (tf.nn.softmax(logits) - targets) * sample_weights[:, None]
        # Not features^T error: with the large matrix second, in its memory order, the product takes a third of
        # the time.
        slope = tf.transpose(tf.matmul(error, features, transpose_a=True))
        gradient = tf.concat([slope, tf.reduce_sum(error, axis=0, keepdims=True)], axis=0)
        return tf.reduce_sum(sample_weights * losses), gradient, tf.matmul(validation, table[:-1]) + table[-1]

    return values


RECIPE = Recipe(
    name="auto",
    title="Automatic",
    help="Stops by itself, gives small classes more weight, and chooses its regularisation on the validation pictures.",
    version=1,  # 1: the first
    train=train_auto,
)
