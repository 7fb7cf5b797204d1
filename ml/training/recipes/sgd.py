"""Implement the recipe “sgd”: gradient descent as in the original TensorFlow for Poets (`retrain.py`)."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ml.training.head import (
    Fitted,
    Floats,
    Head,
    Ints,
    LabelledFeatures,
    Report,
    StepCallback,
    judge_validation,
    measure_point,
    prepare_tensorflow,
)
from ml.training.recipes.recipe import Recipe, RecipeSettings
from ml.training.setting import setting
from ml.training.stopping import StopTraining

EVAL_STEP_INTERVAL = 10  # the original's default
START_DEVIATION = 0.001  # likewise, of a normal distribution truncated at two deviations


class SGDSettings(RecipeSettings, frozen=True, strict=True, extra="forbid"):
    """The settings of gradient descent, named after the original's flags."""

    steps: int = setting(
        500,
        label="Training steps",
        help="How many steps of gradient descent to take.",
        group="recipe",
        flag="how_many_training_steps",
        flag_default=4000,
        ge=1,
        le=100_000,
    )
    learning_rate: float = setting(
        0.01,
        label="Learning rate",
        help="How large each step is.",
        group="recipe",
        flag="learning_rate",
        gt=0,
        le=100,
        allow_inf_nan=False,
    )
    batch_size: int = setting(
        100,
        label="Batch size",
        help="How many pictures each step uses.",
        group="recipe",
        flag="train_batch_size",
        ge=1,
        le=100_000,
    )


def train_sgd(
    training: LabelledFeatures,
    validation: LabelledFeatures,
    classes: int,
    settings: SGDSettings,
    report: Report,
    callback: StepCallback,
    *,
    keep_validation: bool = True,
) -> Fitted:
    """Run gradient descent and report the points of the curve.

    A point's training_loss is that of its last batch, as in the original; validation uses the whole split, which is
    never trained on; without any there are no points. A report that raises `StopTraining` ends it with the head of
    that step.
    """
    reached = None
    for step, head, (loss, logits) in descend(training, validation, classes, settings, interval=EVAL_STEP_INTERVAL):
        reached, stopped = head, False
        try:
            point = measure_point(step, loss, logits, validation.labels) if len(validation.labels) else {}
            report("head", step / settings.steps, **point)
        except StopTraining:
            stopped = True
        callback(step, head, is_last=stopped or step == settings.steps, learning_rate=settings.learning_rate)
        if stopped:
            break
    assert reached is not None  # noqa: S101 - there is a step at least
    return judge_validation(reached, validation)


def descend(
    training: LabelledFeatures, validation: LabelledFeatures, classes: int, settings: SGDSettings, *, interval: int
) -> Iterator[tuple[int, Head, tuple[float, Floats]]]:
    """Run plain gradient descent; each picture of a batch is drawn by first drawing its class.

    Yield, after every `interval` steps and after the last: the step, the head, and the last batch's loss with the
    validation logits (N, C).
    """
    tf = prepare_tensorflow()
    rng = np.random.default_rng(settings.seed)
    data = tf.constant(training.features), tf.one_hot(training.labels, classes)
    held_out = tf.constant(validation.features)
    weights = tf.constant(_start((training.features.shape[1], classes), rng))
    bias = tf.zeros([classes])
    members = [np.flatnonzero(training.labels == label) for label in range(classes)]
    for step in range(0, settings.steps, interval):
        until = min(step + interval, settings.steps)
        drawn = tf.constant(_draw(members, (until - step, settings.batch_size), rng))
        weights, bias, loss, logits = _compiled_descent()(*data, held_out, drawn, weights, bias, settings.learning_rate)
        yield until, Head(weights.numpy(), bias.numpy()), (float(loss), logits.numpy())


def _start(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    numbers = rng.standard_normal(shape)
    while (far := np.abs(numbers) > 2).any():
        numbers[far] = rng.standard_normal(np.count_nonzero(far))
    return (numbers * START_DEVIATION).astype(np.float32)


def _draw(members: list[Ints], shape: tuple[int, int], rng: np.random.Generator) -> Ints:
    """Draw indices of pictures, (steps, batch): first a class uniformly, then a picture of it, with replacement."""
    filled = [pictures for pictures in members if len(pictures)]
    labels = rng.integers(len(filled), size=shape)
    sizes = np.array([len(pictures) for pictures in filled])
    starts = np.cumsum(sizes) - sizes
    places = (rng.random(shape) * sizes[labels]).astype(np.int64)
    return np.asarray(np.concatenate(filled)[starts[labels] + places])


@functools.cache
def _compiled_descent() -> Any:
    """Compile the steps once per process, for any number of pictures, features, classes and steps."""
    tf = prepare_tensorflow()
    matrix, vector = tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.float32)
    drawn_spec, rate_spec = tf.TensorSpec([None, None], tf.int64), tf.TensorSpec([], tf.float32)
    signature = [matrix, matrix, matrix, drawn_spec, matrix, vector, rate_spec]

    # The loop is written with graph operations because TensorFlow's translation of Python loops (AutoGraph) does
    # not support Python 3.13.
    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def descend_batches(
        features: Any, targets: Any, validation: Any, drawn: Any, weights: Any, bias: Any, rate: Any
    ) -> Any:
        def more(step: Any, *_: Any) -> Any:
            return step < tf.shape(drawn)[0]

        def descend_once(step: Any, weights: Any, bias: Any, _: Any) -> Any:
            x, y = tf.gather(features, drawn[step]), tf.gather(targets, drawn[step])
            logits = tf.matmul(x, weights) + bias
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, logits))
            error = (tf.nn.softmax(logits) - y) / tf.cast(tf.shape(y)[0], tf.float32)
            slope = tf.transpose(tf.matmul(error, x, transpose_a=True))
            return step + 1, weights - rate * slope, bias - rate * tf.reduce_sum(error, axis=0), loss

        start = (tf.constant(0), weights, bias, tf.constant(0.0))
        _, weights, bias, loss = tf.while_loop(more, descend_once, start, parallel_iterations=1)
        return weights, bias, loss, tf.matmul(validation, weights) + bias

    return descend_batches


RECIPE = Recipe(
    name="sgd",
    title="Gradient descent",
    help="Plain stochastic gradient descent, as in TensorFlow for Poets.",
    version=1,  # 1: the first
    train=train_sgd,
    settings=SGDSettings,
    can_stop=True,
)
