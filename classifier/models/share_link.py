from django.conf import settings
from django.db import models

from classifier.models.project import Project


class ShareLink(models.Model):
    """A page for whoever has the link, without an account: to classify with the live version, or to send pictures."""

    class Kind(models.TextChoices):
        CLASSIFY = "classify", "Classify pictures"
        UPLOAD = "upload", "Send pictures"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="share_links")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.CLASSIFY)
    token = models.CharField(max_length=64, unique=True)
    per_hour = models.PositiveIntegerField(help_text="pictures, of all who use it together")
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=["classify", "upload"]), name="share_link_kind_known"),
        ]

    def __str__(self) -> str:
        return f"share link of {self.project}"
