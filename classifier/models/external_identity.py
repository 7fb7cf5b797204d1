from django.conf import settings
from django.db import models


class ExternalIdentity(models.Model):
    """Who somebody is for an identity provider or a directory, by which the site knows the account."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=500, help_text="the address of an OpenID Connect provider, or “ldap”")
    subject = models.CharField(max_length=255, help_text="what the issuer calls the person, the same for ever")
    name = models.CharField(max_length=150, blank=True, help_text="by which the person knows it")
    created_at = models.DateTimeField(auto_now_add=True)
    left_at = models.DateTimeField(
        null=True, blank=True, help_text="when the account was disabled as its issuer no longer knew the person"
    )

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="external_identity_once")]

    def __str__(self) -> str:
        return f"{self.name or self.subject} of {self.issuer}"
