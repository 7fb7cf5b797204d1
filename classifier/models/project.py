from django.conf import settings
from django.db import models
from django.urls import reverse

from classifier.roles import Role


class Project(models.Model):
    """One classification problem. Its slug is the model's name in the serving APIs."""

    role: Role | None = None  # of whoever asks, where somebody does: see `classifier.access.find_project`

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=60, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, help_text="when it was moved to the trash, where nobody finds it")
    # The quality gate: what a version must reach to become live by itself. Each condition is off where it is empty.
    least_accuracy = models.PositiveSmallIntegerField(null=True, help_text="percent, of all classes together")
    least_recall = models.PositiveSmallIntegerField(null=True, help_text="percent, of each class")
    not_worse = models.BooleanField(default=False, help_text="not significantly worse than the live version")
    up_to_date = models.BooleanField(
        default=False, help_text="a candidate is trained whenever pictures or labels change"
    )
    keeps_passing = models.BooleanField(
        default=False, help_text="a candidate that passes the quality gate becomes a version, and live"
    )

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(least_accuracy__range=(1, 100)), name="least_accuracy_percent"),
            models.CheckConstraint(condition=models.Q(least_recall__range=(1, 100)), name="least_recall_percent"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("project", args=[self.slug])

    @property
    def may_edit(self) -> bool:
        """Return whether whoever asks may change what is in it."""
        return self.role is not None and self.role.reaches(Role.EDITOR)

    @property
    def may_own(self) -> bool:
        """Return whether whoever asks may share it, hand it on and delete it."""
        return self.role is Role.OWNER
