"""Implement the recipe “sgd”: gradient descent as in the original TensorFlow for Poets (`retrain.py`).

A step takes so little that starting TensorFlow's operations would take longer than computing them.
"""

from collections.abc import Iterator

import numpy as np

from ml.training.head import (
    Fitted,
    Floats,
    Head,
    Ints,
    LabelledFeatures,
    Report,
    StepCallback,
    cross_entropies,
    judge_validation,
    measure_point,
    softmax,
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
    rng = np.random.default_rng(settings.seed)
    head = Head(_start((training.features.shape[1], classes), rng), np.zeros(classes, np.float32))
    members = [np.flatnonzero(training.labels == label) for label in range(classes)]
    for step in range(0, settings.steps, interval):
        until = min(step + interval, settings.steps)
        with np.errstate(all="ignore"):  # whoever gets the head sees whether it has diverged
            for drawn in _draw(members, (until - step, settings.batch_size), rng):
                labels, logits, head = _take_step(head, training, drawn, settings.learning_rate)
            loss = float(cross_entropies(logits, labels).mean())
            held_out = head.logits(validation.features)
        yield until, head, (loss, held_out)


def _take_step(head: Head, training: LabelledFeatures, drawn: Ints, rate: float) -> tuple[Ints, Floats, Head]:
    """Return a batch's labels and logits, and the head after a step along the slope of its mean cross-entropy."""
    features, labels = training.features[drawn], training.labels[drawn]
    logits = head.logits(features)
    error = softmax(logits)
    error[np.arange(len(labels)), labels] -= 1
    error *= np.float32(rate / len(labels))
    return labels, logits, Head(head.weights - features.T @ error, head.bias - error.sum(axis=0))


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


RECIPE = Recipe(
    name="sgd",
    title="Gradient descent",
    help="Plain stochastic gradient descent, as in TensorFlow for Poets.",
    # 1: the first.
    # 2: computed with NumPy, which rounds otherwise than TensorFlow.
    version=2,
    train=train_sgd,
    settings=SGDSettings,
    can_stop=True,
)
