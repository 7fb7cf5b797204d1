from django.db import models
from django.urls import reverse

from classifier.models.project import Project


class ImageClass(models.Model):
    """One label of a project. Its id never changes, its name may."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="classes")
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="class_name_once_per_project"),
            models.CheckConstraint(condition=~models.Q(name=""), name="class_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("class", args=[self.project.slug, self.pk])
