"""Test when a classifier says “none of these”."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.training.out_of_distribution import Detector
from ml.training.rejection import (
    NEVER,
    NOTHING_REFUSED,
    Reason,
    Rejection,
    least_probabilities,
    measure_rejection,
    refused,
)

DETECTOR = Detector(np.array([[127, 0]], np.int8), np.array([1 / 127], np.float32), 0.5)


def test_nothing_is_refused_without_a_rule() -> None:
    probabilities = np.array([[0.4, 0.35, 0.25]], np.float32)
    assert NOTHING_REFUSED.judge(probabilities, None) == [Reason.NONE]


def test_each_rule_refuses_with_its_reason_and_unlikeness_comes_first() -> None:
    rule = Rejection(DETECTOR, np.array([0.8, 0.0, 0.0], np.float32), (2,))
    probabilities = np.array(
        [[0.9, 0.1, 0], [0.7, 0.3, 0], [0.1, 0.1, 0.8], [0.7, 0.3, 0], [0.2, 0.7, 0.1]], np.float32
    )
    features = np.array([[1, 0], [1, 0.1], [2, 0], [0, 1], [1, 0]], np.float32)
    reasons = rule.judge(probabilities, rule.likeness(features))
    assert reasons == [Reason.NONE, Reason.UNSURE, Reason.OTHER, Reason.UNLIKE, Reason.NONE]
    assert refused(reasons).tolist() == [False, True, True, True, False]


def test_measured_by_class_and_by_other_things() -> None:
    reasons = [Reason.NONE, Reason.UNSURE, Reason.OTHER, Reason.NONE]
    found = measure_rejection(reasons, np.array([0, 1, 2, 2]), [2])
    assert found == {"n": 2, "refused": 1, "others": 2, "others_refused": 1}


def test_thresholds_reach_the_wanted_precision() -> None:
    probabilities = np.array([[0.99, 0.01], [0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.4, 0.6]], np.float32)
    labels = np.array([0, 0, 1, 1, 1, 1])
    assert least_probabilities(probabilities, labels, 1.0).tolist() == pytest.approx([0.9, 0.0])
    assert least_probabilities(probabilities, labels, 0.6).tolist() == pytest.approx([0.8, 0.0])
    assert least_probabilities(probabilities, labels, 0.5).tolist() == pytest.approx([0.0, 0.0])


def test_a_class_that_is_never_right_is_never_answered() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)
    assert least_probabilities(probabilities, np.array([1, 1]), 0.9).tolist() == [NEVER, 0.0]


@given(
    st.lists(st.tuples(st.sampled_from([0.5, 0.6, 0.75, 0.9]), st.integers(0, 1), st.integers(0, 1)), max_size=60),
    st.sampled_from([0.5, 0.8, 0.95]),
)
def test_what_is_answered_is_as_precise_as_wanted(rows: list[tuple[float, int, int]], precision: float) -> None:
    probabilities = np.array([[p, 1 - p] if first else [1 - p, p] for p, first, _ in rows], np.float32).reshape(-1, 2)
    labels = np.array([label for _, _, label in rows], np.int64)
    rule = Rejection(None, least_probabilities(probabilities, labels, precision))
    answered = ~refused(rule.judge(probabilities, None)) if rows else np.empty(0, bool)
    for label in (0, 1):
        own = answered & (probabilities.argmax(axis=1) == label)
        assert not own.any() or np.mean(labels[own] == label) >= precision - 1e-9
