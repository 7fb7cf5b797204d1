"""Measure embed_throughput: from stored JPEGs to stored embeddings."""

from bench.figures import Figure, compare, rate_figure
from bench.stage import Stage

PICTURES = 1000
RAW_PICTURES = 240
ROUNDS = 5


def embed_throughput(stage: Stage) -> Figure:
    """Measure the images per second of the embed jobs of a training."""
    stage.project  # noqa: B018 - warms the workers
    slug = stage.new_project("Embed")
    stage.finish(stage.send_zip(slug, PICTURES))
    seeds = iter(range(1, 1000))

    def embed() -> float:
        """Return the seconds per image from the start of the embed stage to the end of its last chunk."""
        from classifier.models import Embedding, Job

        Embedding.objects.filter(image__samples__project__slug=slug).delete()
        job = stage.finish(stage.train(slug, seed=next(seeds)))
        children = Job.objects.filter(parent=job)
        if sum(child.result["computed"] for child in children) != PICTURES:
            raise RuntimeError("Not all embeddings were computed anew.")
        begun = min(child.created_at for child in children)
        ended = max(child.finished_at for child in children)
        return (ended - begun).total_seconds() / PICTURES

    parts = [stage.raw.ways("decode", RAW_PICTURES), stage.raw.forward_ways(RAW_PICTURES)]
    return rate_figure("embed_throughput", "images/s", compare(embed, parts, rounds=ROUNDS), least=0.90)
