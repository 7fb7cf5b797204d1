from django.conf import settings
from django.db import models
from django.urls import reverse

from classifier.models.dataset_version import DatasetVersion
from classifier.models.job import Job
from classifier.models.project import Project
from ml.training.evaluation import Estimate, best_estimate


class KeptVersions(models.Manager["ModelVersion"]):
    """The model versions that are not in the trash."""

    def get_queryset(self) -> models.QuerySet["ModelVersion"]:
        return super().get_queryset().filter(deleted_at=None)


class ModelVersion(models.Model):
    """Numbered and immutable: artifact + dataset version + config + metrics. Its name and note may change.

    `objects`, and with it `project.model_versions`, leaves out those in the trash, which `every` has too.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="model_versions")
    number = models.PositiveIntegerField()
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="model_versions")
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="model_version")
    backbone = models.CharField(max_length=100)
    config = models.JSONField()
    fingerprint = models.CharField(max_length=64, help_text="of dataset version and config")
    artifact_digest = models.CharField(max_length=64)
    metrics = models.JSONField()
    # What people say of it, which is all that may change.
    name = models.CharField(max_length=100, blank=True, default="")
    note = models.TextField(max_length=2000, blank=True, default="")
    pinned = models.BooleanField(default=False, help_text="stands before the others")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, help_text="when it was moved to the trash")

    objects = KeptVersions()
    every = models.Manager["ModelVersion"]()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="version_number_once"),
            models.UniqueConstraint(
                fields=["project", "fingerprint"],
                condition=models.Q(deleted_at=None),
                name="version_fingerprint_once",
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"

    def get_absolute_url(self) -> str:
        return reverse("version", args=[self.project.slug, self.number])

    @property
    def title(self) -> str:
        """Return its number, with its name if it has one."""
        return f"Version {self.number} “{self.name}”" if self.name else f"Version {self.number}"

    @property
    def accuracy(self) -> Estimate:
        """Return the figure to show first."""
        return best_estimate(self.metrics)
