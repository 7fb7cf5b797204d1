"""Test whether one of two classifiers is better than the other on the same pictures."""

import math

CERTAIN = 0.05  # a difference that chance makes less often than this is called one


def mcnemar(fixed: int, broken: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    It is the probability that two classifiers which are equally good differ at least as much, given that only one of
    both is right on `fixed` + `broken` pictures.

    Args:
        fixed: pictures on which only the second is right.
        broken: pictures on which only the first is.
    """
    trials, fewer = fixed + broken, min(fixed, broken)
    log_all = trials * math.log(2)
    tail = math.fsum(math.exp(_log_choose(trials, k) - log_all) for k in range(fewer + 1))
    return min(1.0, 2 * tail)


def least_p(differing: int) -> float:
    """Return the smallest p-value that so many differing pictures can give: with few, no test can tell anything."""
    return mcnemar(differing, 0)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
