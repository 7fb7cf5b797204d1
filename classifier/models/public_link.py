from django.conf import settings
from django.db import models

from classifier.models.model_version import ModelVersion


class PublicLink(models.Model):
    """Opens one model version's file for TensorFlow Hub to whoever has the token. Revoked, the row is gone."""

    model_version = models.OneToOneField(ModelVersion, on_delete=models.CASCADE, related_name="public_link")
    token = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"public link of {self.model_version}"
