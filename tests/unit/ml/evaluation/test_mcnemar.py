"""Test McNemar's exact test against SciPy's binomial test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ml.evaluation.mcnemar import least_p, mcnemar


@given(st.integers(0, 400), st.integers(0, 400))
def test_p_is_that_of_the_binomial_test(fixed: int, broken: int) -> None:
    theirs = binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
    assert mcnemar(fixed, broken) == pytest.approx(theirs, rel=1e-6, abs=1e-12)


def test_very_many_pictures_overflow_nothing() -> None:
    assert mcnemar(10_000, 10_000) == pytest.approx(1.0)
    assert mcnemar(20_000, 0) < 1e-300


def test_five_pictures_can_tell_nothing() -> None:
    assert least_p(5) == pytest.approx(0.0625)
    assert least_p(6) < 0.05
