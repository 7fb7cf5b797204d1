from django.db import models


class PurgedPicture(models.Model):
    """A picture that was deleted for good lately: somebody may have stored its file again, and not its row yet."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    purged_at = models.DateTimeField(db_index=True)
    stored_until = models.DateTimeField(help_text="files that are younger were stored again: when its row was made")

    def __str__(self) -> str:
        return self.sha256[:12]
