from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse

from classifier.models.job import Job
from classifier.models.project import Project


class CustomBackbone(models.Model):
    """A network that somebody added; see `ml.model_import`.

    As a backbone to train with it is its owner's; one that was imported as a model version belongs to a project. Until
    its job has opened it, it has no name.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="custom_backbones"
    )  # null where the account is gone, and versions of others need it
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="custom_backbones")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="custom_backbones")
    title = models.CharField(max_length=100)
    source = models.CharField(max_length=300, help_text="an address, or the name of the file")
    licence = models.CharField(max_length=100, blank=True)
    name = models.CharField(max_length=40, blank=True, db_index=True, help_text="of the backbone, from its content")
    spec: Any = models.JSONField(null=True, help_text="of the files, as text, and their names")
    size = models.PositiveBigIntegerField(default=0, help_text="bytes of its files")
    litert_refusal = models.CharField(max_length=300, blank=True, help_text="why LiteRT cannot run it")
    is_offered = models.BooleanField(default=True, help_text="to train with; its versions need it longer")
    removed_at = models.DateTimeField(null=True, blank=True, help_text="when its owner moved it to the trash")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=models.Q(project=None, is_offered=True) & ~models.Q(name=""),
                name="custom_backbone_once_per_owner",
            )
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("backbone", args=[self.pk])


def backbone_file_path(name: str, file: str) -> str:
    """Return where a file of a custom backbone is in the default storage."""
    return f"networks/{name}/{file}"
