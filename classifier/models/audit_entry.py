from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """One line of the audit log: who has done what, when, and from where. It holds nothing secret."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    username = models.CharField(max_length=150, blank=True, help_text="stays when the account is gone")
    action = models.CharField(max_length=40, db_index=True, help_text="one of those in `classifier.services.audit_log`")
    about = models.CharField(max_length=300, blank=True)
    address = models.CharField(max_length=64, blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.action} {self.about}"
