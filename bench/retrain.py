"""Measure warm_retrain and growth: from pressing Train to a new live version, when every embedding is cached."""

import itertools
import time
from collections.abc import Iterator

from bench.figures import Figure, Seconds, compare
from bench.rows import write_samples
from bench.site import CLASSES, BenchmarkSite

SAMPLES = 3670
PASSES = 300
FEW, MANY = 2000, 20_000
ROUNDS = 9
GROWTH_ROUNDS = 3


def warm_retrain(bench: BenchmarkSite) -> Figure:
    """Measure the seconds of a retraining."""
    bench.project  # noqa: B018 - the first job of the running worker
    retrain = make_retrainer(bench, "Retrain", SAMPLES)
    found = compare(retrain, [_passes(bench)], rounds=ROUNDS)
    ratio = found.ratio
    return Figure("warm_retrain", found.real, "s", found.limit, ratio, "value <= limit", ratio <= 1)


def _passes(bench: BenchmarkSite) -> list[Seconds]:
    """Return the ways to run three hundred forward passes at full machine speed."""
    return [lambda way=way: PASSES * way() for way in bench.raw.forward_ways(PASSES // 2)]  # type: ignore[misc]


def growth(bench: BenchmarkSite) -> Figure:
    """Measure the time per sample with many samples, beside that with few."""
    bench.project  # noqa: B018
    few, many = make_retrainer(bench, "Few", FEW), make_retrainer(bench, "Many", MANY)
    found = compare(many, [[few]], rounds=GROWTH_ROUNDS)
    each, limit = found.real / MANY * 1000, found.limit / FEW * 1000
    ratio = FEW / MANY * found.ratio
    return Figure("growth", each, "ms/sample", limit, ratio, "ratio <= 1.20", ratio <= 1.2)


def make_retrainer(bench: BenchmarkSite, name: str, count: int) -> Seconds:
    """Return a function that trains a project of so many samples again; it has been trained once already."""
    slug = write_samples(bench.user, name, count=count, classes=CLASSES, seed=count)
    seeds = itertools.count(1)
    bench.finish(bench.train(slug))
    return lambda: _train_until_live(bench, slug, seeds)


def _train_until_live(bench: BenchmarkSite, slug: str, seeds: Iterator[int]) -> float:
    from classifier.models import Alias

    alias = Alias.objects.filter(project__slug=slug, name="live").values_list("model_version", flat=True)
    before = alias.get()
    begun = time.perf_counter()
    job = bench.train(slug, seed=next(seeds))
    while alias.get() == before:  # the database decides which version answers the next request
        if time.perf_counter() - begun > 120:
            bench.finish(job, seconds=0)
        time.sleep(0.01)
    took = time.perf_counter() - begun
    if bench.finish(job).result.get("unchanged"):
        raise RuntimeError("Nothing was trained.")
    return took
