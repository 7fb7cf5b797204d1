"""Measure warm_retrain and growth: from pressing Train to a new live version, when every embedding is cached."""

import itertools
import time
from collections.abc import Iterator

from bench.figures import Figure, Seconds, compare
from bench.rows import write_samples
from bench.stage import CLASSES, Stage

SAMPLES = 3670
PASSES = 300
FEW, MANY = 2000, 20_000
ROUNDS = 5
GROWTH_ROUNDS = 5


def warm_retrain(stage: Stage) -> Figure:
    """Measure the seconds of a retraining."""
    stage.project  # noqa: B018 - the first job of the running worker
    retrain = _retrainer(stage, "Retrain", SAMPLES)
    found = compare(retrain, [_passes(stage)], rounds=ROUNDS)
    ratio = 1 / found.share
    return Figure("warm_retrain", found.real, "s", found.limit, ratio, "value <= limit", ratio <= 1)


def _passes(stage: Stage) -> list[Seconds]:
    """Return the ways to run three hundred forward passes at full machine speed."""
    return [lambda way=way: PASSES * way() for way in stage.raw.forward_ways(PASSES // 2)]  # type: ignore[misc]


def growth(stage: Stage) -> Figure:
    """Measure the time per sample with many samples, beside that with few."""
    stage.project  # noqa: B018
    few, many = _retrainer(stage, "Few", FEW), _retrainer(stage, "Many", MANY)
    found = compare(many, [[few]], rounds=GROWTH_ROUNDS)
    each, limit = found.real / MANY * 1000, found.limit / FEW * 1000
    ratio = FEW / MANY / found.share
    return Figure("growth", each, "ms/sample", limit, ratio, "ratio <= 1.20", ratio <= 1.2)


def _retrainer(stage: Stage, name: str, count: int) -> Seconds:
    """Return a function that trains a project of so many samples again; it has been trained once already."""
    slug = write_samples(stage.user, name, count=count, classes=CLASSES, seed=count)
    seeds = itertools.count(1)
    stage.finish(stage.train(slug))
    return lambda: _train_until_live(stage, slug, seeds)


def _train_until_live(stage: Stage, slug: str, seeds: Iterator[int]) -> float:
    from classifier.models import Alias

    alias = Alias.objects.filter(project__slug=slug, name="live").values_list("model_version", flat=True)
    before = alias.get()
    begun = time.perf_counter()
    job = stage.train(slug, seed=next(seeds))
    while alias.get() == before:  # the database decides which version answers the next request
        if time.perf_counter() - begun > 120:
            stage.finish(job, seconds=0)
        time.sleep(0.01)
    took = time.perf_counter() - begun
    if stage.finish(job).result.get("unchanged"):
        raise RuntimeError("Nothing was trained.")
    return took
