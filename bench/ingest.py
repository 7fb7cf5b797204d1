"""Measure ingest_throughput: from a zip that is posted to the API to samples."""

import os

from bench.figures import Figure, compare, rate_figure
from bench.site import BenchmarkSite

PICTURES = 2000
RAW_PICTURES = 1000
ROUNDS = 7


def ingest_throughput(bench: BenchmarkSite) -> Figure:
    """Measure the images per second of ingest jobs."""
    bench.project  # noqa: B018 - warms the workers
    names = (f"Ingest {number}" for number in range(1000))

    def ingest() -> float:
        """Return the seconds per image from the job's start to its end."""
        from classifier.models import Sample

        slug = bench.new_project(next(names))
        job = bench.finish(bench.send_zip(slug, PICTURES))
        if Sample.objects.filter(project__slug=slug).count() != PICTURES:
            raise RuntimeError("Not all pictures became samples.")
        return (job.finished_at - job.started_at).total_seconds() / PICTURES

    parts = [bench.raw.durable_ways("take_in", RAW_PICTURES)]
    # Unwritten data of one measurement would slow down the next.
    found = compare(ingest, parts, rounds=ROUNDS, before=os.sync)
    return rate_figure("ingest_throughput", "images/s", found, least=0.65)
