from django.db import models
from django.urls import reverse

from classifier.models.project import Project
from classifier.palette import colour_of


class ImageClass(models.Model):
    """One label of a project. Its id never changes, its name may.

    One that was deleted or merged into another keeps its row, for the versions that were trained with it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="classes")
    name = models.CharField(max_length=200)
    description = models.CharField(max_length=1000, blank=True)
    colour = models.CharField(max_length=7, blank=True, help_text="as #3b5bdb; without one, a colour of the palette")
    position = models.PositiveIntegerField(default=0, help_text="where it is listed; of equal ones by name")
    in_training = models.BooleanField(default=True, help_text="whether trainings use its pictures")
    is_negative = models.BooleanField(default=False, help_text="whether it stands for “none of these”")
    merged_into = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+")
    deleted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=models.Q(deleted_at=None), name="class_name_once_per_project"
            ),
            models.CheckConstraint(condition=~models.Q(name=""), name="class_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("class", args=[self.project.slug, self.pk])

    @property
    def shown_colour(self) -> str:
        return self.colour or colour_of(self.pk)
