from django.db import models

from classifier.models.image_class import ImageClass
from classifier.models.project import Project
from classifier.models.share_link import ShareLink


class Contribution(models.Model):
    """A picture that somebody without an account sent by a link, and that waits for a member to accept or refuse it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="contributions")
    link = models.ForeignKey(ShareLink, null=True, on_delete=models.SET_NULL, related_name="contributions")
    image_class = models.ForeignKey(ImageClass, null=True, on_delete=models.SET_NULL, related_name="contributions")
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text="bytes")
    file_name = models.CharField(max_length=300)
    sender = models.CharField(max_length=50, blank=True, help_text="as they call themselves")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["project", "sha256"], name="contribution_once_per_project")]

    def __str__(self) -> str:
        return self.file_name

    @property
    def path(self) -> str:
        """Return where its bytes are in the default storage until it is accepted."""
        return f"contributions/{self.project_id}/{self.sha256}"
