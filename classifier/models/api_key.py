from django.conf import settings
from django.db import models
from django.utils import timezone

LONGEST_KEY_DAYS = 3650


class ApiKey(models.Model):
    """A key for the HTTP API. Only its hash is stored; the prefix lets its owner tell keys apart."""

    class Scope(models.TextChoices):
        EVERYTHING = "everything", "do everything"
        READ = "read", "look and classify"
        CLASSIFY = "classify", "classify"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=10, choices=Scope, default=Scope.EVERYTHING)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scope__in=["everything", "read", "classify"]), name="key_scope_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    def may(self, scope: str) -> bool:
        """Return whether the key opens calls of this scope: each scope includes the ones after it."""
        ordered = self.Scope.values
        return ordered.index(self.scope) <= ordered.index(scope)
