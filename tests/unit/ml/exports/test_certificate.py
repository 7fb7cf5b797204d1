"""Test that a file that does not answer as the site does is found out."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.exports.certificate import Answers, certify
from ml.exports.registry import FORMATS, ExportFormat

FORMAT = FORMATS["tflite"]
RNG = np.random.default_rng(5)


def probabilities(count: int = 200, classes: int = 4) -> NDArray[np.float32]:
    logits = RNG.standard_normal((count, classes)) * 3
    exponents = np.exp(logits)
    return (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)


def compare(
    format: ExportFormat,
    site: NDArray[np.float32],
    file: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    milliseconds: float,
) -> dict[str, Any]:
    """Certify answers none of which is refused."""
    nothing = np.zeros(len(labels), bool)
    return certify(format, Answers(site, nothing), Answers(file, nothing), labels, milliseconds=milliseconds)


def test_same_answers_pass() -> None:
    site = probabilities()
    labels = site.argmax(axis=1)
    labels[:50] = (labels[:50] + 1) % 4
    found = compare(FORMAT, site, site + np.float32(1e-6), labels, milliseconds=2.0)
    assert found["passed"]
    assert found["reasons"] == []
    assert (found["n"], found["agreement"], found["accuracy"], found["site_accuracy"]) == (200, 1.0, 0.75, 0.75)
    assert found["largest_difference"] < 1e-5


def test_swapped_classes_fail() -> None:
    site = probabilities()
    found = compare(FORMAT, site, site[:, ::-1], site.argmax(axis=1), milliseconds=2.0)
    assert not found["passed"]
    assert "It predicts the same class for" in found["reasons"][0]
    assert found["accuracy"] < found["site_accuracy"]


def test_right_answers_with_other_probabilities_fail() -> None:
    site = probabilities()
    flat = (site + 0.5) / 3
    found = compare(FORMAT, site, flat.astype(np.float32), site.argmax(axis=1), milliseconds=2.0)
    assert not found["passed"]
    assert "probabilities differ" in found["reasons"][0]


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_numbers_that_are_none_fail(broken: float) -> None:
    site = probabilities()
    file = site.copy()
    file[3, 1] = broken
    found = compare(FORMAT, site, file, site.argmax(axis=1), milliseconds=2.0)
    assert not found["passed"]
    assert "not numbers" in found["reasons"][0]
    assert np.isfinite([found["mean_difference"], found["largest_difference"]]).all()  # JSON knows no NaN


def test_fewer_bits_may_change_probabilities_but_not_how_often_it_is_right() -> None:
    format = FORMATS["tflite_int8"]
    site = probabilities()
    labels = site.argmax(axis=1)
    flat = ((site + 0.5) / 3).astype(np.float32)
    assert compare(format, site, flat, labels, milliseconds=2.0)["passed"]

    some_wrong = flat.copy()
    some_wrong[:3] = np.roll(flat[:3], 1, axis=1)  # three of two hundred: just what may be lost
    assert compare(format, site, some_wrong, labels, milliseconds=2.0)["passed"]

    too_many = flat.copy()
    too_many[:4] = np.roll(flat[:4], 1, axis=1)
    found = compare(format, site, too_many, labels, milliseconds=2.0)
    assert found["reasons"] == ["Its accuracy is 2.0% lower; at most 1.5% is allowed."]


@pytest.mark.parametrize(("count", "wrong", "passes"), [(50, 1, True), (50, 2, False), (6, 1, True), (6, 2, False)])
def test_a_single_picture_decides_nothing(count: int, wrong: int, passes: bool) -> None:
    site = probabilities(count)
    file = site.copy()
    file[:wrong] = np.roll(site[:wrong], 1, axis=1)
    found = compare(FORMATS["tflite_int8"], site, file, site.argmax(axis=1), milliseconds=2.0)
    assert found["passed"] == passes


def test_numbers_that_are_none_fail_whatever_the_bar() -> None:
    site = probabilities()
    file = site.copy()
    file[3, 1] = np.nan
    assert not compare(FORMATS["tflite_int8"], site, file, site.argmax(axis=1), milliseconds=2.0)["passed"]


@pytest.mark.parametrize(
    ("count", "otherwise", "passes"), [(200, 1, True), (200, 2, False), (20, 1, True), (20, 2, False)]
)
def test_what_is_refused_otherwise_fails_but_for_one_picture(count: int, otherwise: int, passes: bool) -> None:
    site, labels = probabilities(count), np.zeros(count, np.int64)
    none, some = np.zeros(count, bool), np.arange(count) < otherwise
    found = certify(FORMAT, Answers(site, none), Answers(site, some), labels, milliseconds=2.0)
    assert found["passed"] is passes
    assert found["none_of_these_agreement"] == pytest.approx(1 - otherwise / count)
    assert passes or "about “none of these”" in found["reasons"][0]
