"""Test that the curve rises where pictures teach something, and says so before they are there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml.audit.labels import UNLABELLED
from ml.audit.learning_curve import CurvePoint, LearningCurve, _follow, measure_learning_curve

DIMENSIONS = 32


def clouds(
    each: int, apart: float, *, classes: int = 3, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((classes, DIMENSIONS)) * apart
    labels = np.repeat(np.arange(classes), each)
    return (centres[labels] + random.standard_normal((len(labels), DIMENSIONS))).astype(np.float32), labels


def alone(labels: NDArray[np.int64]) -> list[str]:
    return [str(place) for place in range(len(labels))]


def measure(features: NDArray[np.float32], labels: NDArray[np.int64], **named: list[str]) -> LearningCurve:
    return measure_learning_curve(features, labels, named.get("groups") or alone(labels), int(labels.max()) + 1)


def test_accuracy_grows_with_pictures_and_would_grow_on() -> None:
    found = measure(*clouds(60, 0.35))
    accuracies = [point.accuracy for point in found.points]
    assert len(accuracies) == 4
    assert accuracies[-1] > accuracies[0] + 0.05
    assert found.points[-1].pictures == pytest.approx(180 * 4 / 5, abs=2)


def test_what_is_foretold_comes_about() -> None:
    curves = [measure(*clouds(80, 0.35, seed=seed)) for seed in range(6)]
    foretold = np.mean([curve.twice.accuracy for curve in curves if curve.twice])
    twice = [measure(*clouds(160, 0.35, seed=seed)) for seed in range(6)]
    assert foretold == pytest.approx(np.mean([curve.points[-1].accuracy for curve in twice]), abs=0.03)


def test_where_all_is_right_more_pictures_win_nothing() -> None:
    found = measure(*clouds(60, 5.0))
    assert found.points[-1].accuracy == 1.0
    assert found.gain == 0.0


def test_noise_teaches_nothing_however_much_there_is() -> None:
    found = measure(*clouds(80, 0.0))
    assert found.gain is not None
    assert found.gain < 0.05


def test_pictures_without_a_class_and_copies_of_one_do_not_count_twice() -> None:
    features, labels = clouds(40, 0.35)
    with_others = np.concatenate([features, features[:20]]), np.concatenate([labels, np.full(20, UNLABELLED)])
    assert measure_learning_curve(*with_others, alone(with_others[1]), 3) == measure(features, labels)
    copies = np.repeat(features, 5, axis=0), np.repeat(labels, 5)
    honest = measure(*copies, groups=[str(place // 5) for place in range(len(copies[1]))])
    assert honest.points[-1].accuracy < measure(*copies).points[-1].accuracy - 0.05


@pytest.mark.parametrize("each", [0, 1, 2])
def test_too_few_pictures_have_no_curve(each: int) -> None:
    features, labels = clouds(each, 1.0)
    assert measure_learning_curve(features, labels, alone(labels), 3) == LearningCurve()


def test_a_single_class_has_no_curve() -> None:
    features, labels = clouds(30, 1.0, classes=1)
    assert measure_learning_curve(features, labels, alone(labels), 1).points == []


def test_a_power_law_is_followed() -> None:
    points = [CurvePoint(pictures=n, accuracy=1 - 2 / n**0.5) for n in (16, 64, 256)]
    found = _follow(points, 1000)
    assert found is not None
    assert found.pictures == 512
    assert found.accuracy == pytest.approx(1 - 2 / 512**0.5, abs=1e-4)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=4))
def test_what_is_expected_is_never_worse_than_what_is(accuracies: list[float]) -> None:
    points = [CurvePoint(pictures=10 * 2**place, accuracy=one) for place, one in enumerate(accuracies)]
    found = _follow(points, 100)
    assert found is not None
    assert points[-1].accuracy - 1e-5 <= found.accuracy <= 1
