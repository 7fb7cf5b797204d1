from django.conf import settings
from django.db import models
from django.urls import reverse

from classifier.models.project import Project


class Sweep(models.Model):
    """Several trainings of the same pictures with different settings, asked for at once to be compared."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sweeps")
    number = models.PositiveIntegerField(help_text="of its project, for people")
    varied = models.JSONField(help_text="the values of each setting that has several, by its name")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="sweep_number_once")]

    def __str__(self) -> str:
        return f"sweep {self.number}"

    def get_absolute_url(self) -> str:
        return reverse("sweep", args=[self.project.slug, self.number])
