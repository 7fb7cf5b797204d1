from django.db import models

from classifier.models.image import Image


class Embedding(models.Model):
    """One image's features by one backbone, kept for ever.

    `key` names backbone digest, preprocessing version and, if it is one, the augmentation; `vector` is
    little-endian float32.
    """

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="embeddings")
    key = models.CharField(max_length=80)
    vector = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "key"], name="embedding_once")]

    def __str__(self) -> str:
        return f"{self.image_id} {self.key}"
