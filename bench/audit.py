"""Measure audit: checking the pictures of a large project when all of them are embedded, and how it grows."""

import time
from functools import partial

from bench.figures import Figure, Seconds, compare
from bench.retrain import make_retrainer
from bench.rows import write_samples
from bench.site import CLASSES, BenchmarkSite

FEW, MANY = 10_000, 20_000
ROUNDS = 3
MOST, GROWTH = 3.0, 2.2


def audit(bench: BenchmarkSite) -> Figure:
    """Measure the seconds of an audit beside those of training as many pictures again."""
    bench.project  # noqa: B018 - the first job of the running worker
    many, few = _auditor(bench, "Many to check", MANY), _auditor(bench, "Few to check", FEW)
    found = compare(many, [[make_retrainer(bench, "As many to train", MANY)]], rounds=ROUNDS)
    growth = 1 / compare(many, [[few]], rounds=ROUNDS).share
    ratio = found.ratio
    target = f"ratio <= {MOST}, {MANY:,} in {GROWTH} x {FEW:,} (took {growth:.2f} x)"
    return Figure("audit", found.real, "s", found.limit, ratio, target, ratio <= MOST and growth <= GROWTH)


def _auditor(bench: BenchmarkSite, name: str, count: int) -> Seconds:
    """Return a function that checks a project of so many samples; it has been checked once already."""
    slug = write_samples(bench.user, name, count=count, classes=CLASSES, seed=count + 1)
    check = partial(_check, bench, slug)
    check()
    return check


def _check(bench: BenchmarkSite, slug: str) -> float:
    begun = time.perf_counter()
    bench.finish(int(bench.client.ok("POST", f"/projects/{slug}/audit")["job"]), every=0.05)
    return time.perf_counter() - begun
