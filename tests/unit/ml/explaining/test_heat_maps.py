"""Test that heat adds up to the logits, exactly, and is where the picture is that speaks for the class."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.engines.feature_maps import FeatureMapEngine
from ml.explaining.heat_maps import LEAST_SCALE, HeatMaps
from ml.training.head import Head, softmax
from ml.training.softmax_regression import fit_head


def make(seed: int, classes: int = 4, side: int = 5, features: int = 6) -> HeatMaps:
    rng = np.random.default_rng(seed)
    head = Head(rng.normal(0.3, 1, (features, classes)).astype(np.float32), rng.normal(size=classes).astype(np.float32))
    return HeatMaps(rng.random((side, side, features)).astype(np.float32), head)


@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 9))
def test_mean_of_the_heat_is_the_logit(seed: int, classes: int) -> None:
    maps = make(seed, classes)
    for place in range(classes):
        weighted = maps.features @ (maps.head.weights[:, place] - maps.head.weights.mean(axis=1))
        np.testing.assert_allclose(maps.heat(place) - maps.bias[place], weighted, atol=1e-5)
        assert weighted.mean() + maps.bias[place] == pytest.approx(maps.logits[place], abs=1e-5)
        assert maps.heat(place).mean() == pytest.approx(maps.logits[place], abs=1e-5)
    said = maps.head.logits(maps.pooled[None])[0]
    np.testing.assert_allclose(maps.logits, said - said.mean(), atol=1e-4)


@given(seed=st.integers(0, 2**32 - 1))
def test_logits_give_the_probabilities_of_the_head(seed: int) -> None:
    maps = make(seed)
    np.testing.assert_allclose(softmax(maps.logits[None]), maps.head.probabilities(maps.pooled[None]), atol=1e-5)


@given(seed=st.integers(0, 2**32 - 1), more=st.floats(-5, 5, width=32))
def test_what_all_classes_have_in_common_is_no_heat(seed: int, more: float) -> None:
    maps = make(seed)
    shifted = HeatMaps(maps.features, Head(maps.head.weights + np.float32(more), maps.head.bias + np.float32(more)))
    np.testing.assert_allclose(shifted.every_heat, maps.every_heat, atol=1e-3)


def test_warmest_place_of_all_classes_is_one() -> None:
    maps = make(1)
    maps = HeatMaps(maps.features, Head(5 * maps.head.weights, maps.head.bias))
    assert maps.every_heat.max() > LEAST_SCALE
    warmest = [maps.warmth(place).max() for place in range(4)]
    assert max(warmest) == pytest.approx(1)
    assert min(warmest) < 1  # maps of one picture can be compared
    assert all(maps.warmth(place).min() >= 0 for place in range(4))


def test_little_heat_is_not_made_to_look_like_much() -> None:
    maps = make(2)
    faint = HeatMaps(maps.features, Head(maps.head.weights / 1000, maps.head.bias / 1000))
    assert faint.every_heat.max() < LEAST_SCALE / 100
    assert faint.warmth(int(faint.logits.argmax())).max() < 0.01


def test_heat_is_measured_from_a_picture_that_speaks_for_no_class() -> None:
    """Let the bias take the average picture out: an average place is cold for both classes."""
    average = np.array([3.0, 2.0], np.float32)
    weights = np.array([[1.0, -1.0], [2.0, -2.0]], np.float32)
    features = np.array([[[3, 2], [4, 2]]], np.float32)
    maps = HeatMaps(features, Head(weights, -average @ weights))
    assert maps.heat(0).tolist() == [[0.0, 1.0]]
    assert maps.heat(1).tolist() == [[0.0, -1.0]]


def test_place_that_speaks_against_a_class_is_cold() -> None:
    maps = HeatMaps(np.ones((1, 1, 1), np.float32), Head(np.array([[2.0, -2.0]], np.float32), np.zeros(2, np.float32)))
    assert maps.warmth(0).tolist() == [[1.0]]
    assert maps.warmth(1).tolist() == [[0.0]]


@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_heat_is_in_the_corner_that_shows_the_class(tflite: Path, corner: tuple[int, int]) -> None:
    """Train red against grey with the tiny backbone, and show it a grey picture with one red corner."""
    engine, rng = FeatureMapEngine(tflite), np.random.default_rng(0)

    def plain(colour: tuple[int, int, int]) -> np.ndarray:
        return np.clip(np.array(colour) + rng.integers(-9, 10, (32, 32, 3)), 0, 255).astype(np.uint8)

    colours, labels = [(200, 40, 40), (128, 128, 128)], np.arange(20) % 2
    features = np.stack([engine.feature_map(plain(colours[label])).mean(axis=(0, 1)) for label in labels])
    head = fit_head(features, labels, 2, penalty=0.01)
    picture = plain(colours[1])
    rows, columns = (slice(16 * at, 16 * at + 16) for at in corner)
    picture[rows, columns] = plain(colours[0])[rows, columns]
    heat = HeatMaps(engine.feature_map(picture), head).heat(0)
    halves = heat.reshape(2, 8, 2, 8).mean(axis=(1, 3))
    assert np.unravel_index(halves.argmax(), (2, 2)) == corner
