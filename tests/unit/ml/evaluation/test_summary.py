"""Test the figures of an evaluation against scikit-learn, over wild answers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from ml.evaluation.confusions import list_confusions, order_by_likeness
from ml.evaluation.curves import POINTS, STEPS, draw_class_curve, draw_coverage
from ml.evaluation.reliability import draw_reliability
from ml.evaluation.summary import Summary, draw_curves, summarise
from ml.training.calibration import BINS, calibration_error

Answers = tuple[Any, Any]


@st.composite
def answers(draw: st.DrawFn) -> Answers:
    """Draw labels and probabilities of up to 60 pictures, with ties and with classes that have no picture."""
    classes, count = draw(st.integers(2, 6)), draw(st.integers(1, 60))
    labels = draw(arrays(np.int64, count, elements=st.integers(0, classes - 1)))
    steps = draw(arrays(np.int64, (count, classes), elements=st.integers(0, 4)))
    raw = steps.astype(np.float32) + np.float32(0.25)
    return labels, raw / raw.sum(axis=1, keepdims=True)


@given(answers())
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_scikit_learn(drawn: Answers) -> None:
    labels, probabilities = drawn
    classes = range(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    found = summarise(labels, probabilities, [str(place) for place in range(len(labels))])
    table = precision_recall_fscore_support(labels, predicted, labels=list(classes), zero_division=np.nan)
    for place in classes:
        one = found.classes[place]
        assert one.n == table[3][place]
        for mine, column in ((one.precision, 0), (one.recall, 1), (one.f1, 2)):
            if mine is None:
                assert np.isnan(table[column][place])
            elif one.n:  # of a class without pictures scikit-learn knows no F1
                assert mine == pytest.approx(table[column][place], abs=1e-5)
        if one.n:
            area = average_precision_score(labels == place, probabilities[:, place])
            assert one.average_precision == pytest.approx(area, abs=1e-5)
        else:
            assert one.average_precision is None
    present = np.unique(labels)
    assert found.balanced_accuracy == pytest.approx(np.mean(table[1][present]), abs=1e-5)


@given(answers())
@settings(max_examples=60, deadline=None)
def test_thresholds_count_what_reaches_them(drawn: Answers) -> None:
    labels, probabilities = drawn
    for place, curve in enumerate(draw_curves(labels, probabilities)):
        scores = probabilities[:, place]
        for step in (0, 1, 25, 50, 99, 100):
            called = scores >= np.float32(step) / np.float32(STEPS)
            assert curve.called[step] == called.sum()
            assert curve.right[step] == (called & (labels == place)).sum()
        assert curve.recall == sorted(curve.recall)


@given(answers())
@settings(max_examples=60, deadline=None)
def test_bins_and_coverage_hold_every_answer(drawn: Answers) -> None:
    labels, probabilities = drawn
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = draw_reliability(right, confidence)
    assert sum(one.n for one in bins) == len(labels)
    for one in bins:
        inside = (confidence > one.low - 1e-4) & (confidence <= one.high + 1e-4)
        assert one.n <= inside.sum()
    gaps = sum(one.n * abs((one.accuracy or 0) - (one.confidence or 0)) for one in bins) / len(labels)
    assert calibration_error(right, confidence) == pytest.approx(gaps, abs=1e-4)
    coverage = draw_coverage(right, confidence)
    assert coverage[-1].coverage == 1
    assert coverage[-1].accuracy == pytest.approx(right.mean(), abs=1e-5)
    for point in coverage:
        kept = confidence >= point.threshold - 1e-5
        assert point.coverage == pytest.approx(kept.mean(), abs=1e-4)
        assert point.accuracy == pytest.approx(right[kept].mean(), abs=1e-4)


def test_a_summary_stays_small_however_many_pictures() -> None:
    rng = np.random.default_rng(0)
    raw = rng.random((20_000, 10)).astype(np.float32)
    labels, probabilities = rng.integers(0, 10, 20_000), raw / raw.sum(axis=1, keepdims=True)
    found = summarise(labels, probabilities, ["one"] * 20_000)
    assert found.groups == 1
    assert len(found.coverage) == POINTS
    assert len(found.reliability) == BINS
    curve = draw_class_curve(labels == 0, probabilities[:, 0])
    assert len(curve.recall) == POINTS
    assert Summary.model_validate_json(found.model_dump_json()) == found


def test_the_constant_guess_is_the_most_frequent_class() -> None:
    probabilities = np.full((4, 3), 1 / 3, np.float32)
    found = summarise(np.array([2, 2, 2, 0]), probabilities, list("abcd"))
    assert (found.constant_class, found.constant_accuracy) == (2, 0.75)


def test_no_pictures_give_no_figures() -> None:
    found = summarise(np.empty(0, np.int64), np.empty((0, 3), np.float32), [])
    assert found.accuracy is found.balanced_accuracy is found.calibration_error is found.constant_class is None
    assert found.coverage == []
    assert found.confusions == []
    assert found.order_by_likeness == [0, 1, 2]
    assert draw_curves(np.empty(0, np.int64), np.empty((0, 3), np.float32))[0].recall == []


def test_confused_classes_stand_side_by_side() -> None:
    """Classes 0 and 3 are confused often, 1 and 4 now and then; 2 never is."""
    labels = np.array([0, 0, 3, 1, 4, 4, 2])
    confusions = list_confusions(labels, np.array([3, 3, 0, 4, 4, 4, 2]))
    assert confusions == [(0, 3, 2), (1, 4, 1), (3, 0, 1)]
    order = order_by_likeness(confusions, np.bincount(labels).tolist())
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert abs(order.index(0) - order.index(3)) == abs(order.index(1) - order.index(4)) == 1
    assert order[-1] == 2


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(1, 9)), max_size=30))
def test_every_class_has_one_place_in_the_order(drawn: list[tuple[int, int, int]]) -> None:
    confusions = [one for one in drawn if one[0] != one[1]]
    assert sorted(order_by_likeness(confusions, [5] * 8)) == list(range(8))
