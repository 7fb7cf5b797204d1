from django.conf import settings
from django.db import models

from classifier.models.model_version import ModelVersion
from classifier.models.project import Project

LIVE = "live"


class Alias(models.Model):
    """A movable name for a model version. `live` answers predictions; others are free."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="aliases")
    name = models.SlugField(max_length=60)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="aliases")
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="alias_once_per_project")]

    def __str__(self) -> str:
        return self.name
