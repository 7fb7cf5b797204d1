"""Test that probabilities become as high as answers are right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml.training.calibration import calibration_error, cool, fit_temperature
from ml.training.head import Head, OutOfSample, softmax


def judged(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> OutOfSample:
    return OutOfSample(logits, labels)


def drawn(count: int, temperature: float, seed: int = 0) -> OutOfSample:
    """Draw labels from the probabilities of logits, and return those logits times the temperature."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, 4)).astype(np.float32)
    labels = np.array([random.choice(4, p=row / row.sum()) for row in softmax(logits).astype(np.float64)])
    return judged(logits * np.float32(temperature), labels)


def error_of(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float | None:
    return calibration_error(probabilities.argmax(axis=1) == labels, probabilities.max(axis=1, initial=0))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_temperature_is_found_again(temperature: float) -> None:
    assert fit_temperature(drawn(4000, temperature)) == pytest.approx(temperature, rel=0.1)


def test_a_handful_of_right_answers_does_not_make_it_certain() -> None:
    logits = np.eye(4, dtype=np.float32)
    assert 0.3 < fit_temperature(judged(logits, np.arange(4))) < 1
    assert fit_temperature(judged(np.empty((0, 4), np.float32), np.empty(0, np.int64))) == 1.0


def test_cooled_head_answers_the_same_with_other_probabilities() -> None:
    random = np.random.default_rng(1)
    head = Head(random.normal(size=(8, 3)).astype(np.float32), random.normal(size=3).astype(np.float32))
    features = random.normal(size=(50, 8)).astype(np.float32)
    cooled = cool(head, 2.5)
    np.testing.assert_allclose(cooled.logits(features), head.logits(features) / 2.5, rtol=1e-4, atol=1e-5)
    assert (cooled.probabilities(features).argmax(1) == head.probabilities(features).argmax(1)).all()


def test_calibration_error_falls_with_the_right_temperature() -> None:
    seen, new = drawn(3000, 3.0), drawn(3000, 3.0, seed=1)
    found = fit_temperature(seen)
    before = error_of(softmax(new.logits), new.labels)
    after = error_of(softmax(new.logits / np.float32(found)), new.labels)
    assert before is not None
    assert after is not None
    assert after < min(0.03, before / 3)


def test_calibration_error_of_known_bins() -> None:
    """Count two bins: of ten answers with 90 % five are right, of ten with 60 % six are."""
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 10, np.float32)
    labels = np.array([0] * 5 + [1] * 5 + [1] * 6 + [0] * 4)
    assert error_of(probabilities, labels) == pytest.approx(0.2)
    assert error_of(np.empty((0, 2), np.float32), np.empty(0, np.int64)) is None


@given(st.lists(st.tuples(st.integers(-1000, 1000), st.integers(0, 1)), max_size=40))
def test_any_logits_give_a_temperature_and_an_error_within_bounds(rows: list[tuple[int, int]]) -> None:
    logits = np.array([[one, 0] for one, _ in rows], np.float32).reshape(-1, 2)
    labels = np.array([label for _, label in rows], np.int64)
    assert 0.05 <= fit_temperature(judged(logits, labels)) <= 20
    assert not rows or 0 <= (error_of(softmax(logits), labels) or 0) <= 1
