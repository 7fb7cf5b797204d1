"""Test the metrics: intervals as published, the orientation of the matrix, and JSON without NaN."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix as confusion_matrix_of_sklearn
from sklearn.metrics import precision_recall_fscore_support

from ml.training.evaluation import (
    best_estimate,
    confusion_matrix,
    evaluate,
    summarise_cross_validation,
    wilson_interval,
)


# R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_published_values(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(hits, trials) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_nothing_tried_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10**6).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_wilson_interval_holds_the_share_and_mirrors(case: tuple[int, int]) -> None:
    hits, trials = case
    low, high = wilson_interval(hits, trials)
    assert 0 <= low <= hits / trials + 1e-12
    assert hits / trials - 1e-12 <= high <= 1
    assert low < high
    mirrored = wilson_interval(trials - hits, trials)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-9)


def test_wilson_interval_all_hit_is_not_certain() -> None:
    low, high = wilson_interval(10, 10)
    assert low == pytest.approx(0.7225, abs=5e-5)
    assert high == pytest.approx(1.0)


def test_confusion_matrix_rows_are_true_classes() -> None:
    matrix = confusion_matrix(np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1]), 3)
    assert matrix.tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 0]]


def test_evaluate_precision_and_recall() -> None:
    probabilities = np.eye(3, dtype=np.float32)[[0, 1, 1, 1]]
    metrics = evaluate(probabilities, np.array([0, 0, 0, 1]), ["cat", "dog", "cow"])
    assert (metrics["test_accuracy"], metrics["test_n"]) == (0.5, 4)
    cat, dog, cow = metrics["per_class"]
    assert (cat["n"], cat["precision"], cat["recall"]) == (3, 1.0, 0.333333)
    assert (dog["n"], dog["precision"], dog["recall"]) == (1, 0.333333, 1.0)
    assert (cow["n"], cow["precision"], cow["recall"]) == (0, None, None)


@pytest.mark.parametrize(("classes", "count"), [(2, 30), (6, 8), (10, 1000)])
def test_evaluate_agrees_with_scikit_learn_and_scipy(classes: int, count: int) -> None:
    rng = np.random.default_rng(count)
    probabilities, labels = rng.random((count, classes), np.float32), rng.integers(classes, size=count)
    metrics = evaluate(probabilities, labels, [f"class {number}" for number in range(classes)])
    predicted, every = probabilities.argmax(axis=1), range(classes)
    precision, recall, _, counts = precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=np.nan
    )
    found = [[one["precision"], one["recall"], one["n"]] for one in metrics["per_class"]]
    np.testing.assert_allclose(np.array(found, float), np.stack([precision, recall, counts], axis=1), atol=1e-6)
    assert metrics["confusion"] == confusion_matrix_of_sklearn(labels, predicted, labels=every).tolist()
    wilson = binomtest(int((predicted == labels).sum()), count).proportion_ci(method="wilson")
    assert metrics["interval"] == pytest.approx((wilson.low, wilson.high), abs=1e-6)


def test_evaluate_nothing() -> None:
    metrics = evaluate(np.empty((0, 2), np.float32), np.empty(0, np.int64), ["cat", "dog"])
    assert (metrics["test_accuracy"], metrics["test_n"], metrics["interval"]) == (None, 0, [0.0, 1.0])


@given(st.integers(1, 6), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_evaluate_is_plain_json(classes: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), count).astype(np.float32)
    labels = rng.integers(classes, size=count)
    metrics = evaluate(probabilities, labels, [f"class {number}" for number in range(classes)])
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert np.sum(metrics["confusion"]) == count


def test_frames_of_two_videos_are_two_trials() -> None:
    probabilities = np.eye(2, dtype=np.float32)[[0] * 10 + [1] * 5 + [0] * 5]
    metrics = evaluate(probabilities, np.repeat([0, 1], 10), ["a", "b"], ["one"] * 10 + ["another"] * 10)
    assert (metrics["test_accuracy"], metrics["test_n"], metrics["test_groups"]) == (0.75, 20, 2)
    assert metrics["interval"] == pytest.approx(wilson_interval(1.5, 2), abs=1e-6)
    assert metrics["interval"][0] < 0.3


def test_best_estimate_is_of_the_test_unless_it_was_too_small() -> None:
    metrics = evaluate(np.eye(2, dtype=np.float32), np.arange(2), ["a", "b"])
    found = best_estimate(metrics)
    assert (found.accuracy, found.n, found.groups, found.by) == (1.0, 2, 2, "test")
    labels, groups = np.arange(2).repeat(10), [f"video {number // 5}" for number in range(20)]
    crossed = summarise_cross_validation(np.eye(2, dtype=np.float32)[[0] * 20], labels, groups, 4)
    found = best_estimate(metrics | {"cross_validation": crossed})
    assert (found.accuracy, found.n, found.groups, found.by) == (0.5, 20, 4, "cross_validation")
    assert found.interval == pytest.approx(wilson_interval(2, 4), abs=1e-6)


def test_best_estimate_of_metrics_from_before_groups_were_counted() -> None:
    metrics = evaluate(np.eye(2, dtype=np.float32), np.arange(2), ["a", "b"])
    del metrics["test_groups"]
    assert best_estimate(metrics).groups == 2


def test_best_estimate_without_pictures() -> None:
    found = best_estimate(evaluate(np.zeros((0, 2), np.float32), np.zeros(0, int), ["a", "b"], []))
    assert (found.accuracy, found.interval, found.n) == (None, (0.0, 1.0), 0)
