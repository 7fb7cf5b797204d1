"""Test both recipes with real training on features made in code."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml.training.config import TrainConfig
from ml.training.head import EmptySplit, Head, LabelledFeatures, TrainingDiverged, balanced_loss, softmax
from ml.training.recipes import logistic_regression, registry, sgd

AUTO = TrainConfig(backbone="testing")
POETS = TrainConfig(backbone="testing", recipe="sgd", steps=300, learning_rate=0.1)
RECIPES = pytest.mark.parametrize("config", [AUTO, POETS], ids=["auto", "poets"])


def train_head(*arguments: Any, **named: Any) -> Head:
    return registry.train_head(*arguments, **named).head


def silent(stage: str, fraction: float, **point: float) -> None:
    """Ignore the report."""


def clouds(sizes: list[int], *, seed: int = 0, apart: float = 3.0, features: int = 20) -> LabelledFeatures:
    """Return a cloud of points for each class; the centres do not depend on the seed."""
    centres = np.random.default_rng(99).standard_normal((len(sizes), features)) * apart
    labels = np.repeat(np.arange(len(sizes)), sizes)
    noise = np.random.default_rng(seed).standard_normal((len(labels), features))
    return LabelledFeatures((centres[labels] + noise).astype(np.float32), labels)


def accuracy(head: Head, split: LabelledFeatures) -> float:
    return float(np.mean(head.probabilities(split.features).argmax(axis=1) == split.labels))


def recall(head: Head, split: LabelledFeatures, label: int) -> float:
    of_class = split.labels == label
    return accuracy(head, LabelledFeatures(split.features[of_class], split.labels[of_class]))


@RECIPES
def test_train_separable_classes_are_told_apart(config: TrainConfig) -> None:
    head = train_head(clouds([60] * 4), clouds([10] * 4, seed=1), 4, config, silent)
    assert accuracy(head, clouds([200] * 4, seed=2)) > 0.99
    assert (head.weights.shape, head.bias.shape) == ((20, 4), (4,))
    assert head.weights.dtype == head.bias.dtype == np.float32


@RECIPES
def test_train_again_gives_the_same_bits(config: TrainConfig) -> None:
    training, validation = clouds([300, 200, 100], apart=0.3, features=200), clouds([20] * 3, features=200)
    one, two = (train_head(training, validation, 3, config, silent) for _ in range(2))
    assert one.weights.tobytes() == two.weights.tobytes()
    assert one.bias.tobytes() == two.bias.tobytes()


def test_train_sgd_another_seed_gives_another_head() -> None:
    training, validation = clouds([30] * 2), clouds([5] * 2, seed=1)
    configs = [TrainConfig(recipe="sgd", steps=20, seed=seed) for seed in (1, 2)]
    one, two = (train_head(training, validation, 2, config, silent) for config in configs)
    assert one.weights.tobytes() != two.weights.tobytes()


@RECIPES
def test_train_reports_a_curve_that_ends_at_the_head(config: TrainConfig) -> None:
    training, validation = clouds([50] * 3, apart=0.5), clouds([20] * 3, seed=1, apart=0.5)
    calls: list[tuple[str, float, dict[str, Any]]] = []
    head = train_head(
        training,
        validation,
        3,
        config,
        lambda stage, fraction, **point: calls.append((stage, fraction, point)),
        keep_validation=True,
    )
    stages, fractions, points = zip(*calls, strict=True)
    assert set(stages) == {"head"}
    assert list(fractions) == sorted(fractions)
    assert fractions[0] > 0
    assert fractions[-1] == 1.0
    points = tuple(point for point in points if point)
    steps = [point["step"] for point in points]
    assert steps == sorted(set(steps))
    assert all(np.isfinite(list(point.values())).all() for point in points)
    assert points[-1]["validation_accuracy"] == pytest.approx(accuracy(head, validation), abs=1e-5)
    logits = validation.features @ head.weights + head.bias
    assert points[-1]["validation_loss"] == pytest.approx(balanced_loss(logits, validation.labels), abs=2e-4)


@RECIPES
def test_train_small_class_is_not_drowned(config: TrainConfig) -> None:
    training, validation = clouds([1000, 20], apart=0.35), clouds([100, 2], seed=1, apart=0.35)
    head = train_head(training, validation, 2, config, silent)
    test = clouds([300, 300], seed=2, apart=0.35)
    # What a classifier gives that knows the true centres.
    best = recall(train_head(clouds([5000] * 2, seed=3, apart=0.35), test, 2, AUTO, silent), test, 1)
    assert recall(head, test, 1) > best - 0.2
    # Unweighted, the same data gives far less: the weighting is what does it.
    plain = LogisticRegression(max_iter=1000).fit(training.features, training.labels)
    found = plain.predict(test.features[test.labels == 1]) == 1
    assert recall(head, test, 1) > found.mean()


@RECIPES
@pytest.mark.parametrize(
    ("training", "validation"),
    [([30, 0, 30], [5, 5, 5]), ([30, 30, 30], [5, 0, 5]), ([30, 0, 30], [0, 5, 0]), ([1, 1, 1], [1, 1, 1])],
)
def test_train_classes_without_pictures(config: TrainConfig, training: list[int], validation: list[int]) -> None:
    head = train_head(clouds(training), clouds(validation, seed=1), 3, config, silent)
    assert head.weights.shape == (20, 3)
    present = [label for label, size in enumerate(training) if size]
    assert np.mean([recall(head, clouds([50] * 3, seed=2), label) for label in present]) > 0.9


@RECIPES
@pytest.mark.parametrize("empty", ["training", "validation"])
def test_train_empty_split_is_refused(config: TrainConfig, empty: str) -> None:
    splits = {"training": clouds([5, 5]), "validation": clouds([2, 2]), empty: clouds([0, 0])}
    with pytest.raises(EmptySplit, match=empty):
        train_head(splits["training"], splits["validation"], 2, config, silent, keep_validation=True)


def test_two_pictures_of_each_class_are_enough_without_validation() -> None:
    nothing = LabelledFeatures(np.empty((0, 20), np.float32), np.empty(0, np.int64))
    head = train_head(clouds([2, 2]), nothing, 2, AUTO, silent)
    assert np.mean([recall(head, clouds([50, 50], seed=2), label) for label in (0, 1)]) > 0.9


@RECIPES
@pytest.mark.parametrize("groups", [None, ["a", "a", "a", "b", "b", "b"]], ids=["one of a class alone", "two groups"])
def test_train_without_anything_to_judge_by(config: TrainConfig, groups: list[str] | None) -> None:
    nothing = LabelledFeatures(np.empty((0, 20), np.float32), np.empty(0, np.int64), [])
    known = clouds([5, 1])
    training = LabelledFeatures(known.features, known.labels, groups)
    points: list[dict[str, float]] = []
    fitted = registry.train_head(training, nothing, 2, config, lambda _, __, **point: points.append(point))
    assert np.mean([recall(fitted.head, clouds([50, 50], seed=2), label) for label in (0, 1)]) > 0.9
    assert not any(points)  # there is no validation accuracy to show
    assert not len(fitted.out_of_sample.labels)


@RECIPES
@pytest.mark.parametrize(
    "change",
    [np.zeros_like, np.ones_like, lambda x: x * 1e6, lambda x: x * 1e-6, lambda x: x + 1e4],
    ids=["zeros", "constant", "huge", "tiny", "far from zero"],
)
def test_train_extreme_features_give_finite_answers(
    config: TrainConfig, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> None:
    training, validation = (
        LabelledFeatures(change(split.features).astype(np.float32), split.labels)
        for split in (clouds([20, 40]), clouds([5, 5], seed=1))
    )
    head = train_head(training, validation, 2, config, silent)
    probabilities = head.probabilities(validation.features)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("scale", [1e6, 1e-6, 1.0])
def test_train_auto_does_not_mind_the_scale_of_features(scale: float) -> None:
    def scaled(split: LabelledFeatures) -> LabelledFeatures:
        return LabelledFeatures((split.features * np.float32(scale)), split.labels)

    head = train_head(scaled(clouds([50] * 3)), scaled(clouds([10] * 3, seed=1)), 3, AUTO, silent)
    assert accuracy(head, scaled(clouds([100] * 3, seed=2))) > 0.99


@RECIPES
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_train_numbers_out_of_bounds_are_refused(config: TrainConfig) -> None:
    broken = clouds([10, 10])
    broken.features[3, 4] = np.nan
    with pytest.raises(TrainingDiverged, match="learning rate"):
        train_head(broken, clouds([3, 3], seed=1), 2, config, silent)


@pytest.mark.parametrize("penalty", [0.3, 0.01, 0.001])
def test_auto_agrees_with_scikit_learn(monkeypatch: pytest.MonkeyPatch, penalty: float) -> None:
    """Compare for the same penalty on the same centred and scaled features, with equal weights of the classes."""
    monkeypatch.setattr(logistic_regression, "PENALTIES", (penalty,))
    training, test = clouds([200, 50, 120], apart=0.4), clouds([100] * 3, seed=1, apart=0.4)
    head = train_head(training, test, 3, AUTO, silent)
    mean = training.features.mean(axis=0)
    spread = np.sqrt(np.mean((training.features - mean) ** 2))
    theirs = LogisticRegression(
        C=1 / (penalty * len(training.labels)), class_weight="balanced", tol=1e-8, max_iter=5000
    ).fit((training.features - mean) / spread, training.labels)
    expected = theirs.predict_proba((test.features - mean) / spread)
    np.testing.assert_allclose(head.probabilities(test.features), expected, atol=0.01)


@pytest.mark.parametrize("penalty", [1.0, 0.01, 0.0001])
def test_auto_gradient_vanishes_at_the_solution(monkeypatch: pytest.MonkeyPatch, penalty: float) -> None:
    monkeypatch.setattr(logistic_regression, "PENALTIES", (penalty,))
    training = clouds([80, 40], apart=0.3)
    head = train_head(training, clouds([10, 10], seed=1, apart=0.3), 2, AUTO, silent, keep_validation=True)
    weight = 0.5 / np.bincount(training.labels)[training.labels, None]
    error = (head.probabilities(training.features) - np.eye(2)[training.labels]) * weight
    mean = training.features.mean(axis=0)
    spread = np.sqrt(np.mean((training.features - mean) ** 2))
    # In the centred and scaled features, where the penalty applies.
    slope = ((training.features - mean) / spread).T @ error + penalty * head.weights * spread
    assert np.abs(slope).max() < 2e-3
    assert np.abs(error.sum(axis=0)).max() < 2e-3


def test_auto_chooses_the_penalty_by_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose a stronger penalty if classes hardly differ, as it does better on unseen pictures than the weakest."""
    training, validation, test = (clouds([40, 40], seed=seed, apart=0.05, features=300) for seed in (0, 1, 2))

    def loss_of(head: Head, split: LabelledFeatures) -> float:
        return balanced_loss(split.features @ head.weights + head.bias, split.labels)

    chosen = train_head(training, validation, 2, AUTO, silent, keep_validation=True)
    alone = []
    for penalty in (3.0, 0.01, 0.0001):
        monkeypatch.setattr(logistic_regression, "PENALTIES", (penalty,))
        alone.append(train_head(training, validation, 2, AUTO, silent, keep_validation=True))
    assert loss_of(chosen, validation) <= min(loss_of(head, validation) for head in alone) + 1e-3
    assert loss_of(chosen, test) < loss_of(alone[-1], test)


@pytest.mark.parametrize(("kept_back", "judged"), [(100, 400), (200, 200)])
def test_auto_judges_by_all_pictures_where_validation_is_too_small_to_tell(kept_back: int, judged: int) -> None:
    training, validation = clouds([150, 150], apart=0.3), clouds([kept_back // 2] * 2, seed=1, apart=0.3)
    fitted = registry.train_head(training, validation, 2, AUTO, silent)
    assert len(fitted.out_of_sample.labels) == judged
    assert fitted.out_of_sample.folds == (5 if kept_back == 100 else 0)


def test_poets_loss_falls() -> None:
    losses: list[float] = []
    config = TrainConfig(recipe="sgd")
    training, validation = clouds([40] * 3, apart=0.7), clouds([10] * 3, seed=1, apart=0.7)
    train_head(training, validation, 3, config, lambda *_, **point: losses.append(point["validation_loss"]))
    assert len(losses) == 50
    assert losses[0] > 2 * losses[-1]
    assert max(np.diff(losses)) < 0.02


@pytest.mark.parametrize(("steps", "last"), [(1, [1]), (10, [10]), (25, [10, 20, 25])])
def test_poets_reports_every_ten_steps_and_the_last(steps: int, last: list[int]) -> None:
    seen: list[int] = []
    config = TrainConfig(recipe="sgd", steps=steps, batch_size=3)
    train_head(clouds([5, 5]), clouds([2, 2]), 2, config, lambda *_, **point: seen.append(point["step"]))
    assert seen == last


def test_poets_draws_the_class_first() -> None:
    members = [np.arange(1000), np.array([], np.int64), np.arange(1000, 1010)]
    drawn = sgd._draw(members, (200, 100), np.random.default_rng(0))
    assert drawn.shape == (200, 100)
    assert np.mean(drawn >= 1000) == pytest.approx(0.5, abs=0.02)
    within = np.bincount(drawn[drawn >= 1000] - 1000, minlength=10) / np.sum(drawn >= 1000)
    assert within == pytest.approx([0.1] * 10, abs=0.02)
    assert set(np.unique(drawn)) >= set(range(1000, 1010))


def test_poets_starts_near_zero_as_the_original() -> None:
    start = sgd._start((300, 20), np.random.default_rng(0))
    assert np.abs(start).max() <= 0.002
    assert start.std() == pytest.approx(0.00088, abs=0.00002)  # a normal cut at two deviations


def test_poets_one_step_is_gradient_descent() -> None:
    """Compare one step from the known start with NumPy: weights -= rate * X^T (p - y) / batch."""
    training = clouds([6, 6])
    config = TrainConfig(recipe="sgd", steps=1, batch_size=8, learning_rate=0.5, seed=7)
    head = train_head(training, training, 2, config, silent)
    rng = np.random.default_rng(7)
    start = sgd._start((20, 2), rng)
    drawn = sgd._draw([np.arange(6), np.arange(6, 12)], (1, 8), rng)[0]
    x, y = training.features[drawn], np.eye(2)[training.labels[drawn]]
    error = (softmax(x @ start) - y) / 8
    np.testing.assert_allclose(head.weights, start - 0.5 * x.T @ error, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(head.bias, -0.5 * error.sum(axis=0), rtol=1e-4, atol=1e-6)


def test_softmax_large_logits_are_safe() -> None:
    logits = np.array([[1e30, 0, -1e30], [1e4, 1e4, 1e4]], np.float32)
    np.testing.assert_allclose(softmax(logits), [[1, 0, 0], [1 / 3] * 3], atol=1e-6)


def test_balanced_loss_classes_weigh_alike() -> None:
    logits = np.log(np.array([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.9, 0.1]], np.float32))
    expected = (np.log(2) - np.log(0.1)) / 2
    assert balanced_loss(logits, np.array([0, 0, 0, 1])) == pytest.approx(expected, rel=1e-5)


def test_balanced_loss_of_a_sure_mistake_is_finite() -> None:
    assert balanced_loss(np.array([[1e6, 0]], np.float32), np.array([1])) == pytest.approx(1e6)
