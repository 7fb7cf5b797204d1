from django.db import models

from classifier.models.embedding_shard import EmbeddingShard
from classifier.models.image import Image


class Embedding(models.Model):
    """One image's features by one backbone, kept for ever.

    `key` names backbone digest, preprocessing version and, if it is one, the augmentation; `vector` is
    little-endian float32, or empty where it is in the file of a shard. `classifier.services.shards` reads both.
    """

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="embeddings")
    key = models.CharField(max_length=80)
    vector = models.BinaryField()
    shard = models.ForeignKey(EmbeddingShard, on_delete=models.CASCADE, null=True, related_name="embeddings")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "key"], name="embedding_once")]

    def __str__(self) -> str:
        return f"{self.image_id} {self.key}"
