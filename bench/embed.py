"""Measure embed_throughput: from stored JPEGs to stored embeddings."""

from bench.figures import Figure, compare, rate_figure
from bench.site import BenchmarkSite

PICTURES = 1000
RAW_PICTURES = 240
ROUNDS = 4


def embed_throughput(bench: BenchmarkSite) -> Figure:
    """Measure the images per second of the embed jobs of a training."""
    bench.project  # noqa: B018 - warms the workers
    slug = bench.new_project("Embed")
    bench.finish(bench.send_zip(slug, PICTURES))
    seeds = iter(range(1, 1000))

    def embed() -> float:
        """Return the seconds per image from the start of the embed stage to the end of its last chunk."""
        from classifier.models import Embedding, Job

        Embedding.objects.filter(image__samples__project__slug=slug).delete()
        job = bench.finish(bench.train(slug, seed=next(seeds)))
        children = Job.objects.filter(parent=job)
        if sum(child.result["computed"] for child in children) != PICTURES:
            raise RuntimeError("Not all embeddings were computed anew.")
        begun = min(child.created_at for child in children)
        ended = max(child.finished_at for child in children)
        return (ended - begun).total_seconds() / PICTURES

    parts = [bench.raw.ways("decode", RAW_PICTURES), bench.raw.forward_ways(RAW_PICTURES)]
    return rate_figure("embed_throughput", "images/s", compare(embed, parts, rounds=ROUNDS), least=0.85)
