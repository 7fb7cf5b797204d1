from django.db import models

from classifier.models.image import Image


class ImageMeasures(models.Model):
    """What was measured of a picture when it was decoded; see `ml.audit.measures.Measures`."""

    image = models.OneToOneField(Image, on_delete=models.CASCADE, related_name="measures")
    darkest = models.FloatField(help_text="the grey that 5 % of the pixels stay below")
    lightest = models.FloatField(help_text="the grey that 99 % of the pixels stay below")
    contrast = models.FloatField()
    sharpness = models.FloatField()
    pixels = models.CharField(max_length=16, help_text="a digest of the decoded pixels")
    camera = models.CharField(max_length=60, blank=True)
    taken = models.DateField(null=True)

    def __str__(self) -> str:
        return f"{self.image_id}"
