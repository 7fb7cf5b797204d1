"""Swapped labels are found; whatever the features and labels are, something sensible comes out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ml.audit.labels import LEAST_GROUPS, UNLABELLED, Judgement, judge_labels
from ml.audit.vectors import make_vectors

CLASSES = 3


def blobs(each: int, spread: float = 0.5, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return features as a backbone gives them, not negative, of classes that can be told apart."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), each)
    centres = rng.standard_normal((CLASSES, 40))
    features = centres[labels] + spread * rng.standard_normal((len(labels), 40))
    return np.maximum(features, 0).astype(np.float32), labels


def judge(features: NDArray[np.float32], labels: NDArray[np.int64], groups: list[str] | None = None) -> Judgement:
    names = groups or [str(place) for place in range(len(labels))]
    return judge_labels(make_vectors(features), labels, names, CLASSES)


def test_swapped_labels_come_first() -> None:
    features, labels = blobs(40)
    swapped = np.arange(0, 120, 12)
    given = labels.copy()
    given[swapped] = (given[swapped] + 1) % CLASSES
    found = judge(features, given)
    assert set(np.argsort(-found.suspicion)[: len(swapped)]) == set(swapped)
    assert (found.predicted[swapped] == labels[swapped]).all()


def test_right_labels_are_not_suspected() -> None:
    features, labels = blobs(40)
    assert (judge(features, labels).suspicion > 0).mean() < 0.02


def test_copies_of_one_photo_do_not_vouch_for_each_other() -> None:
    features, labels = blobs(30)
    labels[:4] = 1
    features[:4] = features[0]
    groups = ["same"] * 4 + [str(place) for place in range(4, len(labels))]
    assert (judge(features, labels, groups).suspicion[:4] > 0).all()


def test_class_of_too_few_pictures_is_not_doubted() -> None:
    features, labels = blobs(20)
    kept = np.flatnonzero((labels != 2) | (np.arange(60) >= 60 - LEAST_GROUPS + 1))
    found = judge(features[kept], labels[kept])
    assert (found.suspicion[labels[kept] == 2] == 0).all()


def test_unlabelled_pictures_get_a_prediction_and_no_suspicion() -> None:
    features, labels = blobs(30)
    given = labels.copy()
    given[::7] = UNLABELLED
    found = judge(features, given)
    assert (found.predicted[::7] == labels[::7]).all()
    assert (found.suspicion[::7] == 0).all()
    assert (found.confidence[::7] > 0.5).all()


def test_answers_are_probabilities_and_the_same_each_time() -> None:
    features, labels = blobs(15)
    first, second = judge(features, labels), judge(features, labels)
    np.testing.assert_allclose(first.probabilities.sum(1), 1, atol=1e-4)
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    assert ((first.uncertainty >= 0) & (first.uncertainty <= 1.0001)).all()


@pytest.mark.parametrize("labels", [[], [UNLABELLED] * 4, [1] * 5, [0, 1], [0, 1, 2], [UNLABELLED, 0, 1, 1]])
def test_hardly_any_pictures(labels: list[int]) -> None:
    features = np.ones((len(labels), 7), np.float32)
    found = judge(features, np.array(labels, np.int64))
    assert found.probabilities.shape == (len(labels), CLASSES)
    assert (found.suspicion == 0).all()


@settings(deadline=None)
@given(
    arrays(np.float32, (12, 4), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)),
    st.lists(st.integers(-1, 2), min_size=12, max_size=12),
)
def test_wild_features_give_finite_answers(features: NDArray[np.float32], labels: list[int]) -> None:
    found = judge(features, np.array(labels, np.int64))
    assert np.isfinite(found.probabilities).all()
    assert np.isfinite(found.suspicion).all()
