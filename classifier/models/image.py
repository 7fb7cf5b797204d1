from django.db import models

THUMBNAIL_SIZES = (160, 640)


class Image(models.Model):
    """Picture bytes, stored once per sha256, whoever uploads them. The file's name is its sha256."""

    sha256 = models.CharField(max_length=64, unique=True)
    format = models.CharField(max_length=10)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField(help_text="bytes")
    created_at = models.DateTimeField(auto_now_add=True)
    damaged_at = models.DateTimeField(null=True, help_text="when its file was found missing or damaged")

    class Meta:
        indexes = [
            models.Index(fields=["damaged_at"], condition=models.Q(damaged_at__isnull=False), name="image_damaged"),
        ]

    def __str__(self) -> str:
        return self.sha256[:12]

    @property
    def path(self) -> str:
        return image_path(self.sha256)

    def thumbnail_path(self, size: int) -> str:
        return thumbnail_path(self.sha256, size)


def image_path(sha256: str) -> str:
    """Return where the bytes with this sha256 are in the default storage."""
    return f"images/{sha256[:2]}/{sha256}"


def thumbnail_path(sha256: str, size: int) -> str:
    """Return where a small copy of the picture with this sha256 is kept, once it has been asked for."""
    return f"thumbnails/{size}/{sha256[:2]}/{sha256}"
