"""Benchmarks compare what was measured at the same time."""

from collections.abc import Callable

from bench.figures import compare


def one_after_another(*seconds: float) -> Callable[[], float]:
    return iter(seconds).__next__


def test_machine_that_slows_down_between_rounds_changes_no_ratio() -> None:
    found = compare(one_after_another(1, 3, 3), [[one_after_another(1, 1, 3, 3)]], rounds=3)
    assert found.real / found.limit == 1.5
    assert found.ratio == 1


def test_limit_is_the_sum_of_the_fastest_ways() -> None:
    slow, fast, more = one_after_another(5, 5), one_after_another(2, 2), one_after_another(1, 1)
    found = compare(one_after_another(6), [[slow, fast], [more]], rounds=1)
    assert (found.limit, found.ratio, found.share) == (3, 2, 0.5)
