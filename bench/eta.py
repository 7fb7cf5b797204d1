"""Measure eta: how far the time that a job's page foretells at half-time is from what the job then takes."""

import itertools
import time
from collections.abc import Callable
from itertools import groupby
from statistics import mean

from bench.figures import Figure
from bench.rows import write_samples
from bench.site import CLASSES, BenchmarkSite
from tests.datasets import coloured_pictures, make_zip

ROUNDS = 3
SAMPLES, PICTURES, TUNED, COLOURED = 12_000, 400, 120, 100
EPOCHS = 2
FORMATS = ("saved_model", "tf_hub")
EVERY = 0.1
ALLOWED, STALL = 33.0, 3.0  # per cent, and seconds in which the figure may stand still

Look = tuple[float, float | None]  # when, and the seconds left that are shown


def eta(bench: BenchmarkSite) -> Figure:
    """Measure the mean error at half-time over trainings, embeddings, exports and fine-tunings, after one of each."""
    ways = [_train(bench), _embed(bench), _export(bench), _fine_tune(bench)]
    errors, stalls = [], []
    for way in ways:
        for _ in FORMATS:
            way()  # what the others remember
        looks = [_watch(bench, way()) for _ in range(ROUNDS)]
        errors.append(mean(_error_at_half_time(seen) for seen in looks))
        stalls.append(max(map(_longest_stall, looks)))
    names = ("train", "embed", "export", "fine_tune")
    told = ", ".join(f"{name} {error:.0f} %" for name, error in zip(names, errors, strict=True))
    print(f"eta at half-time: {told}; longest stall {max(stalls):.1f} s", flush=True)
    error = mean(errors)
    target = f"value <= limit, no stall > {STALL:.0f} s"
    return Figure("eta", error, "%", ALLOWED, error / ALLOWED, target, error <= ALLOWED and max(stalls) <= STALL)


def _watch(bench: BenchmarkSite, job: int) -> list[Look]:
    """Look at a job as its page does until it has ended; the last look is its end."""
    looks: list[Look] = []
    while True:
        seen = bench.client.ok("GET", f"/jobs/{job}")
        if seen["status"] not in ("QUEUED", "RUNNING"):
            if seen["status"] != "SUCCEEDED":
                raise RuntimeError(f"Job {job} ended as {seen['status']}: {seen['error']}")
            return [*looks, (time.monotonic(), 0.0)]
        if seen["status"] == "RUNNING":
            looks.append((time.monotonic(), seen["eta_seconds"]))
        time.sleep(EVERY)


def _error_at_half_time(looks: list[Look]) -> float:
    """Return the error in per cent of what was then left."""
    begun, ended = looks[0][0], looks[-1][0]
    middle = (begun + ended) / 2
    at, shown = min(looks, key=lambda look: abs(look[0] - middle))
    print(f"  {ended - begun:.1f} s; at half-time {shown} s left, and really {ended - at:.1f} s", flush=True)
    return 100.0 if shown is None else 100 * abs(shown - (ended - at)) / max(ended - at, EVERY)


def _longest_stall(looks: list[Look]) -> float:
    """Return the seconds for which the same figure was shown, to the tenth of a second as the API has it."""
    runs = [[at for at, _ in group] for _, group in groupby(looks, key=lambda look: look[1])]
    return max(run[-1] - run[0] for run in runs)


def _train(bench: BenchmarkSite) -> Callable[[], int]:
    """Return what starts a training whose embeddings are kept."""
    slug = write_samples(bench.user, "Eta", count=SAMPLES, classes=CLASSES, seed=SAMPLES)
    seeds = itertools.count(1)
    return _finishing(bench, lambda: bench.train(slug, seed=next(seeds)))


def _embed(bench: BenchmarkSite) -> Callable[[], int]:
    """Return what starts a training of pictures that nobody has embedded."""

    def start() -> int:
        slug = bench.new_project("Eta of new pictures")
        bench.finish(bench.send_zip(slug, PICTURES))
        return bench.train(slug)

    return _finishing(bench, start)


def _export(bench: BenchmarkSite) -> Callable[[], int]:
    """Return what starts an export of a version that has none yet, of classes that can be told apart."""
    formats, seeds = itertools.cycle(FORMATS), itertools.count(1000)
    slug = bench.new_project("Eta of exports")
    archive = make_zip(coloured_pictures(COLOURED))
    bench.finish(bench.client.ok("POST", f"/projects/{slug}/uploads", files=[("file", "colours.zip", archive)])["job"])

    def start() -> int:
        wanted = next(formats)
        version = bench.finish(bench.train(slug, seed=next(seeds))).result["model_version"]
        return int(bench.client.ok("POST", f"/projects/{slug}/versions/{version}/exports", {"format": wanted})["job"])

    return _finishing(bench, start)


def _fine_tune(bench: BenchmarkSite) -> Callable[[], int]:
    slug = bench.new_project("Eta of fine-tuning")
    bench.finish(bench.send_zip(slug, TUNED))
    seeds = itertools.count(1)
    settings = {"fine_tuning": "last", "fine_tuning_epochs": EPOCHS}
    return _finishing(bench, lambda: bench.train(slug, **settings, seed=next(seeds)))


def _finishing(bench: BenchmarkSite, start: Callable[[], int]) -> Callable[[], int]:
    """Return what starts a job after the one that it started before has ended."""
    last: list[int] = []

    def start_next() -> int:
        if last:
            bench.finish(last.pop(), seconds=600)
        last.append(start())
        return last[0]

    return start_next
