from datetime import timedelta

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from classifier.models.job import Job
from classifier.models.project import Project

SILENCE = timedelta(minutes=1)  # without a sign of the browser: then it does not send any more


class Upload(models.Model):
    """One act of bringing pictures in: its items are the report that stays."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="uploads")
    job = models.OneToOneField(Job, null=True, on_delete=models.SET_NULL, related_name="upload")
    source = models.CharField(max_length=300, help_text="what the user chose, in words")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    announced = models.PositiveIntegerField(null=True, help_text="files that the browser is going to send")
    heard_at = models.DateTimeField(null=True, help_text="when the browser that sends its files last gave a sign")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.source

    def get_absolute_url(self) -> str:
        return reverse("upload", args=[self.project.slug, self.pk])

    @property
    def is_being_sent(self) -> bool:
        return self.heard_at is not None and timezone.now() - self.heard_at < SILENCE


class UploadItem(models.Model):
    """What became of one file."""

    class Status(models.TextChoices):
        STORED = "stored", "stored"
        DUPLICATE = "duplicate", "already there"
        REJECTED = "rejected", "rejected"

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="items")
    file_name = models.CharField(max_length=1000)
    class_name = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=10, choices=Status)
    reason = models.CharField(max_length=500, blank=True)
    picture = models.BigIntegerField(null=True, help_text="the id of its image, which may be gone")

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["upload", "status", "id"], name="item_by_status")]

    def __str__(self) -> str:
        return self.file_name
