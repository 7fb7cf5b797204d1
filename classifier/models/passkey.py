from django.conf import settings
from django.db import models


class Passkey(models.Model):
    """A public key whose private half is in somebody's phone, computer or security key: a second factor."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=100, help_text="by which its user tells it from others")
    credential_id = models.CharField(max_length=1400, unique=True, help_text="base64url")
    data = models.BinaryField(help_text="attested credential data of WebAuthn: its id and the public key")
    sign_count = models.BigIntegerField(default=0, help_text="0 where it does not count")
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"passkey {self.name}"
