"""Test that no picture is judged by a head that has seen it or its group, and that the estimate is honest."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml.training import cross_validation
from ml.training.config import TrainConfig
from ml.training.cross_validation import FOLDS, LEAST_FOLDS, cross_validate, deal_folds, thin_out
from ml.training.head import Head, LabelledFeatures
from ml.training.recipes.registry import train_head

FEATURES = 64


def train(training: LabelledFeatures, validation: LabelledFeatures) -> Head:
    return train_head(training, validation, 2, TrainConfig(), lambda *_, **__: None).head


def videos(seed: int, signal: float) -> tuple[NDArray[np.float32], NDArray[np.int64], list[str]]:
    """Return ten frames of each of six videos of two classes, which hardly differ within a video."""
    random = np.random.default_rng(seed)
    scenes = random.normal(size=(12, FEATURES))
    scenes[6:] += signal
    frames = scenes.repeat(10, axis=0) + 0.05 * random.normal(size=(120, FEATURES))
    return (
        frames.astype(np.float32),
        np.arange(2).repeat(60),
        [f"video {number}" for number in np.arange(12).repeat(10)],
    )


def accuracy(features: NDArray[np.float32], labels: NDArray[np.int64], groups: Sequence[str]) -> float:
    folds = deal_folds(labels, groups)
    assert folds is not None
    return float((cross_validate(features, labels, folds, 2, train).argmax(axis=1) == labels).mean())


def test_videos_without_any_signal_are_not_told_apart() -> None:
    found = [accuracy(*videos(seed, 0.0)) for seed in range(12)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)
    features, labels, groups = videos(0, 0.0)
    assert accuracy(features, labels, [f"{group} {number}" for number, group in enumerate(groups)]) == 1.0


def test_classes_that_differ_are_told_apart() -> None:
    assert accuracy(*videos(0, 1.5)) == 1.0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=200))
def test_folds_hold_whole_groups_and_every_class(pictures: list[tuple[int, int]]) -> None:
    labels = np.unique([label for label, _ in pictures], return_inverse=True)[1]
    groups = [f"group {number}" for _, number in pictures]
    folds = deal_folds(labels, groups)
    by_class = [{group for group, one in zip(groups, labels, strict=True) if one == label} for label in set(labels)]
    if folds is None:
        assert min(map(len, by_class)) < LEAST_FOLDS
        return
    assert set(folds) <= set(range(FOLDS))
    assert len({(group, fold) for group, fold in zip(groups, folds, strict=True)}) == len(set(groups))


def test_folds_are_of_like_size() -> None:
    labels = np.repeat([0, 1], [100, 30])
    folds = deal_folds(labels, [str(number) for number in range(130)])
    assert folds is not None
    assert np.bincount(folds[:100]).tolist() == [20] * 5
    assert np.bincount(folds[100:]).tolist() == [6] * 5


def test_every_class_is_in_every_fold_though_a_group_has_pictures_of_both() -> None:
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
    folds = deal_folds(labels, ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e"])
    assert folds is not None
    assert folds.reshape(-1, 2).tolist() == [[fold, fold] for fold in (0, 1, 2, 3, 4)]


def test_class_with_two_groups_cannot_be_cross_validated() -> None:
    assert deal_folds(np.array([0, 0, 0, 1, 1, 1]), ["a", "b", "c", "d", "d", "e"]) is None


def test_many_frames_are_thinned_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_validation, "MOST_PICTURES", 40)
    groups = ["short"] * 20 + ["long"] * 200
    kept = [groups[place] for place in thin_out(groups)]
    assert len(kept) <= 40
    assert kept.count("long") == pytest.approx(10 * kept.count("short"), abs=10)
    monkeypatch.setattr(cross_validation, "MOST_PICTURES", 220)
    assert thin_out(groups).tolist() == list(range(220))
