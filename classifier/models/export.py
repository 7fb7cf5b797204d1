from django.db import models

from classifier.models.job import Job
from classifier.models.model_version import ModelVersion


class Export(models.Model):
    """A model version as files for elsewhere, one a format. How far it is, its job says; what it made is here."""

    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="exports")
    format = models.CharField(max_length=20)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="exports")
    sha256 = models.CharField(max_length=64, blank=True, help_text="of the archive; empty until there is one")
    size = models.PositiveBigIntegerField(default=0, help_text="bytes")
    certificate = models.JSONField(null=True, help_text="how it agrees with the site")
    labels = models.JSONField(null=True, help_text="names of the classes in the files; null if older than this field")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["format"]
        constraints = [models.UniqueConstraint(fields=["model_version", "format"], name="export_format_once")]

    def __str__(self) -> str:
        return f"{self.format} of {self.model_version}"

    @property
    def path(self) -> str:
        return f"exports/{self.sha256}.zip"
