"""Test the metrics: intervals as published, the orientation of the matrix, and JSON without NaN."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix as confusion_matrix_of_sklearn
from sklearn.metrics import precision_recall_fscore_support

from ml.training.evaluation import confusion_matrix, evaluate, wilson_interval


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
