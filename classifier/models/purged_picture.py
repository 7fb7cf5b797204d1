from django.db import models


class PurgedPicture(models.Model):
    """A picture that was deleted for good lately: somebody may have stored its file again, and not its row yet."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    purged_at = models.DateTimeField(db_index=True)
    stored_until = models.DateTimeField(help_text="files that are younger were stored again: when its row was made")

    is_left = models.BooleanField(default=False, help_text="its file was stored again, and goes if no row is made")

    class Meta:
        indexes = [models.Index(fields=["sha256"], condition=models.Q(is_left=True), name="purged_and_left")]

    def __str__(self) -> str:
        return self.sha256[:12]
