"""Test that pictures of other things are told from those of the classes, and that the rule can be kept in a file."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.training.out_of_distribution import (
    ACCEPTED,
    MOST_EXEMPLARS,
    MOST_PICTURES,
    NEAREST,
    Detector,
    even_share,
    fit_detector,
    to_unit,
)

FEATURES = 64


def clouds(
    each: int, classes: int = 3, *, seed: int = 0, centres: int = 0, spread: float = 0.6
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return features around a direction for each class; the directions depend on `centres` alone."""
    middle = np.random.default_rng(1000 + centres).standard_normal((classes, FEATURES))
    labels = np.repeat(np.arange(classes), each)
    noise = np.random.default_rng(seed).standard_normal((len(labels), FEATURES)) * spread
    return (middle[labels] + noise).astype(np.float32), labels


def alone(labels: NDArray[np.int64]) -> list[str]:
    return [str(place) for place in range(len(labels))]


def fit(features: NDArray[np.float32], labels: NDArray[np.int64], **named: object) -> Detector:
    found = fit_detector(features, labels, alone(labels), **named)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize("each", [5, 20, 150, 1500])
def test_other_things_are_refused_and_new_pictures_of_the_classes_are_not(each: int) -> None:
    found = fit(*clouds(each))
    new, _ = clouds(200, seed=1)
    others, _ = clouds(100, 5, seed=2, centres=7)
    assert np.mean(found.likeness(new) >= found.least_likeness) >= 0.95
    assert np.mean(found.likeness(others) < found.least_likeness) >= 0.95


def test_likeness_is_the_mean_cosine_of_the_nearest_exemplars() -> None:
    features, labels = clouds(10)
    found = fit(features, labels)
    new, _ = clouds(4, seed=5)
    cosines = np.sort(to_unit(new) @ to_unit(features).T, axis=1)[:, -NEAREST:].mean(axis=1)
    np.testing.assert_allclose(found.likeness(new), cosines, atol=0.01)  # rounded to eight bits
    np.testing.assert_allclose(found.likeness(1000 * new), found.likeness(new), atol=1e-6)


def test_the_threshold_accepts_what_it_says() -> None:
    """Judge by pictures of two classes that overlap, so that nothing but the quantile decides."""
    found = fit(*clouds(400, 2, spread=4.0))
    new, _ = clouds(1000, 2, seed=3, spread=4.0)
    assert np.mean(found.likeness(new) >= found.least_likeness) == pytest.approx(ACCEPTED, abs=0.03)


def test_pictures_of_a_group_do_not_vouch_for_each_other() -> None:
    """Repeat each picture ten times: the threshold must be that of the pictures and not that of copies."""
    features, labels = clouds(12)
    copies = np.repeat(features, 10, axis=0), np.repeat(labels, 10)
    together = fit_detector(*copies, [str(place // 10) for place in range(len(copies[1]))])
    apart = fit_detector(*copies, alone(copies[1]))
    assert together is not None
    assert apart is not None
    # Which copies become exemplars depends on how the processor rounds; 0.047 to 0.061 lower for ten seeds.
    assert together.least_likeness < apart.least_likeness - 0.03


def test_known_other_things_move_the_threshold() -> None:
    """Give things that lie between the classes and everything else."""
    features, labels = clouds(60)
    near = (clouds(60, seed=4)[0] + 1.2 * np.random.default_rng(5).standard_normal((180, FEATURES))).astype(np.float32)
    without, informed = fit(features, labels), fit(features, labels, others=near[:90])
    new, _ = clouds(200, seed=6)
    assert np.mean(near[90:] < 0) > 0  # they are no copies of those that were given
    assert np.mean(informed.likeness(near[90:]) < informed.least_likeness) > np.mean(
        without.likeness(near[90:]) < without.least_likeness
    )
    assert np.mean(informed.likeness(new) >= informed.least_likeness) >= 0.9


def test_many_pictures_leave_few_exemplars() -> None:
    found = fit(*clouds(3000, 2))
    assert found.exemplars.shape == (MOST_EXEMPLARS, FEATURES)
    assert found.exemplars.dtype == np.int8
    many = fit(*clouds(4, 300))
    assert len(many.exemplars) == 900  # three of each, however many classes there are


@pytest.mark.parametrize(("each", "classes"), [(1, 4), (2, 2), (0, 1)])
def test_too_few_pictures_say_nothing(each: int, classes: int) -> None:
    features, labels = clouds(each, classes)
    assert fit_detector(features, labels, alone(labels)) is None


def test_a_single_class_is_enough() -> None:
    found = fit(*clouds(30, 1))
    others, _ = clouds(50, 2, seed=2, centres=7)
    assert np.mean(found.likeness(others) < found.least_likeness) >= 0.95


@pytest.mark.filterwarnings("error")
def test_features_that_are_no_numbers_or_nothing_are_unlike_everything() -> None:
    found = fit(*clouds(20))
    strange = np.zeros((3, FEATURES), np.float32)
    strange[1], strange[2, 0] = np.nan, np.inf
    assert (found.likeness(strange) < found.least_likeness).all()


def test_each_class_has_its_share_of_the_pictures_looked_at() -> None:
    labels = np.concatenate([np.zeros(5000, np.int64), np.ones(10, np.int64)])
    kept = labels[even_share(labels)]
    assert np.count_nonzero(kept == 1) == 10
    assert len(kept) <= MOST_PICTURES // 2 + 10
