from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models


class Account(models.Model):
    """What Django's user does not have. Whoever needs nothing of it has none."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="account")
    seen_at = models.DateTimeField(null=True, help_text="to some minutes")
    deleted_at = models.DateTimeField(null=True, help_text="when it was moved to the trash")
    quota_pictures = models.PositiveIntegerField(null=True, help_text="instead of the setting; 0: without limit")
    quota_gb = models.PositiveIntegerField(null=True, help_text="instead of the setting; 0: without limit")
    quota_jobs = models.PositiveIntegerField(null=True, help_text="open at a time, instead of the setting")
    quota_requests = models.PositiveIntegerField(null=True, help_text="an hour with keys, instead of the setting")

    def __str__(self) -> str:
        return f"account of {self.user}"


class UserSession(models.Model):
    """Where and when somebody has signed in. It goes with the session itself."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sessions")
    address = models.CharField(max_length=64, blank=True)
    browser = models.CharField(max_length=300, blank=True, help_text="the header User-Agent")
    created_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(help_text="to some minutes")

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return f"session of {self.user}"
