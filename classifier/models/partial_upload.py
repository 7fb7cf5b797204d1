from django.conf import settings
from django.db import models

from classifier.models.project import Project
from classifier.models.upload import Upload


class PartialUpload(models.Model):
    """An archive that comes in parts. Its first `offset` bytes are on the disk."""

    token = models.CharField(max_length=24, unique=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="partial_uploads")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=300)
    size = models.PositiveBigIntegerField(help_text="bytes of the whole archive")
    offset = models.PositiveBigIntegerField(default=0)
    layout = models.CharField(max_length=1000, blank=True)
    confirm = models.BooleanField(default=False, help_text="whether a person wants to see what is understood first")
    metadata = models.TextField(blank=True, help_text="the header Upload-Metadata, as it was sent")
    last_modified = models.BigIntegerField(null=True, help_text="of the file, as the browser tells it")
    parts = models.JSONField(default=dict, help_text="what the storage needs in order to go on")
    upload = models.OneToOneField(Upload, null=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now_add=True, db_index=True, help_text="when the last part came")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(offset__lte=models.F("size")), name="partial_upload_offset"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        return f"incoming/{self.project_id}/{self.token}"

    @property
    def is_whole(self) -> bool:
        return self.offset == self.size
