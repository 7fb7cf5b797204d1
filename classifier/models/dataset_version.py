from django.conf import settings
from django.db import models

from classifier.models.project import Project


class DatasetVersion(models.Model):
    """Frozen list of (image sha256, class, split). The list is a file named by its digest; never edited."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="dataset_versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    classes = models.JSONField(help_text="[[id, name], ...] in the order of the head's outputs")
    counts = models.JSONField(help_text="{split: [pictures per class, ...]}")
    given = models.JSONField(default=dict, help_text="{split: how many of its pictures were given it}")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="dataset_number_once"),
            models.UniqueConstraint(fields=["project", "digest"], name="dataset_digest_once"),
        ]

    def __str__(self) -> str:
        return f"dataset version {self.number}"

    @property
    def path(self) -> str:
        return f"datasets/{self.digest}.json"

    @property
    def split_sizes(self) -> list[tuple[str, int, int]]:
        """List each split with its pictures, and how many of them were given it by a folder, a table or by hand."""
        return [(split, sum(per_class), self.given.get(split, 0)) for split, per_class in self.counts.items()]

    @property
    def total(self) -> int:
        return sum(sum(per_class) for per_class in self.counts.values())
