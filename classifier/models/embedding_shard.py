from django.db import models


class EmbeddingShard(models.Model):
    """A file with the vectors of many embeddings under one key, whose rows then have none; see `ml.engines.shards`."""

    key = models.CharField(max_length=80)
    sha256 = models.CharField(max_length=64, unique=True)
    count = models.PositiveIntegerField(help_text="of the pictures in the file; some may have been deleted since")
    size = models.PositiveBigIntegerField(help_text="bytes")
    created_at = models.DateTimeField(auto_now_add=True)
    emptied_at = models.DateTimeField(null=True, help_text="when no embedding was found to be in it any longer")

    def __str__(self) -> str:
        return f"{self.count} of {self.key}"

    @property
    def path(self) -> str:
        return shard_path(self.sha256)


def shard_path(sha256: str) -> str:
    """Return where the shard with this sha256 is in the default storage."""
    return f"embeddings/{sha256[:2]}/{sha256}"
