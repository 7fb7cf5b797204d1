"""Measure noisy_neighbour: a small training while somebody else has done what would keep everybody waiting."""

import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.figures import Figure
from bench.rows import write_samples
from bench.site import BenchmarkSite

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from classifier.models import Job

SAMPLES = 300
CONFIG: dict[str, Any] = {"recipe": "sgd"}  # of all: a training that takes longer than starting one
OPEN_JOBS, HOSTILE = 50, 6
ROUNDS = 5
SLOWEST = 3.0
END_SECONDS = 60
# A network that never answers, as a graph of TensorFlow 1.
ENDLESS = """
import sys
import tensorflow as tf
with tf.Graph().as_default() as graph:
    pictures = tf.compat.v1.placeholder(tf.float32, [None, 32, 32, 3], "input")
    mean = tf.reduce_mean(pictures, axis=[1, 2])
    more = tf.while_loop(lambda found: tf.reduce_sum(found) > -1.0, lambda found: [tf.abs(found) + 1.0], [tf.abs(mean)])
    tf.identity(more[0], name="final_result")
sys.stdout.buffer.write(graph.as_graph_def().SerializeToString())
"""


def noisy_neighbour(bench: BenchmarkSite) -> Figure:
    """Measure the seconds of a small training beside another user's fifty jobs and six endless networks, and alone."""
    bench.project  # noqa: B018 - warms the workers
    slug = write_samples(bench.user, "Neighbour", count=SAMPLES, classes=5, seed=1)
    bench.finish(bench.train(slug))
    seeds = iter(range(1, 1000))
    before = [_train(bench, slug, next(seeds)) for _ in range(ROUNDS)]
    noise = _Noise(bench)
    beside = median(_beside(bench, noise, slug, next(seeds)) for _ in range(ROUNDS))
    noise.end()
    # On both sides, as a machine may be faster one minute than the next.
    alone = median([*before, *(_train(bench, slug, next(seeds)) for _ in range(ROUNDS))])
    ratio = beside / alone
    return Figure("noisy_neighbour", beside, "s", alone, ratio, f"ratio <= {SLOWEST}", ratio <= SLOWEST)


def _train(bench: BenchmarkSite, slug: str, seed: int) -> float:
    begun = time.perf_counter()
    bench.finish(bench.train(slug, seed=seed, **CONFIG), every=0.02)
    return time.perf_counter() - begun


def _beside(bench: BenchmarkSite, noise: "_Noise", slug: str, seed: int) -> float:
    noise.raise_again()
    took = _train(bench, slug, seed)
    if noise.count_open() < OPEN_JOBS / 2:
        raise RuntimeError("The other user's jobs ended too early to be a measure.")
    return took


class _Noise:
    """Another user, who keeps fifty jobs open."""

    def __init__(self, bench: BenchmarkSite) -> None:
        self.client, self.turn = bench.site.client("noisy"), 0
        from django.contrib.auth.models import User

        user = User.objects.get(username="noisy")
        names = (f"Noise {number}" for number in range(OPEN_JOBS - HOSTILE))
        self.slugs = [write_samples(user, name, count=SAMPLES, classes=5, seed=1) for name in names]
        network = subprocess.run([sys.executable, "-c", ENDLESS], capture_output=True, check=True).stdout
        for number in range(HOSTILE):
            self.client.ok("POST", "/backbones", {"title": f"Endless {number}"}, [("file", "endless.pb", network)])

    def raise_again(self) -> None:
        """Start a training in each project that has none."""
        from classifier.models import Job

        busy = set(Job.objects.filter(kind="train", status__in=Job.OPEN).values_list("project__slug", flat=True))
        self.turn += 1
        for slug in self.slugs:
            if slug not in busy:
                self.client.ok("POST", f"/projects/{slug}/train", {"force": True, "seed": self.turn, **CONFIG})

    def count_open(self) -> int:
        """Return how many of the jobs are open, none of which may be missing that never ends by itself."""
        found = self._find_open()
        if found.filter(kind="backbone").count() < HOSTILE:
            raise RuntimeError("An endless network has ended.")
        return found.count()

    def end(self) -> None:
        """Cancel what is open, which what is measured next would run beside. Raise RuntimeError if it goes on."""
        until = time.monotonic() + END_SECONDS
        while open_jobs := list(self._find_open().values_list("pk", flat=True)):
            for job in open_jobs:
                self.client.call("POST", f"/jobs/{job}/cancel")
            if time.monotonic() > until:
                raise RuntimeError(f"Jobs cannot be cancelled: {open_jobs}")
            time.sleep(0.5)

    @staticmethod
    def _find_open() -> "QuerySet[Job]":
        from classifier.models import Job

        return Job.objects.filter(created_by__username="noisy", status__in=Job.OPEN)
