from django.db import models

from classifier.models.sign_up import SignUp


class MailRequest(models.Model):
    """A mail with a link that a visitor has asked for, whether or not there is an account for it.

    What it leads to is looked up, and the link is made, when the mail is sent: neither is stored, and the answer to the
    visitor takes the same time in both cases.
    """

    class Kind(models.TextChoices):
        PASSWORD = "password", "Set a password"
        SIGN_UP = "sign_up", "Make an account"

    kind = models.CharField(max_length=10, choices=Kind)
    email = models.EmailField(help_text="as it was typed, in small letters")
    sign_up = models.ForeignKey(SignUp, null=True, on_delete=models.CASCADE, related_name="mail_requests")
    asked_from = models.CharField(max_length=64, blank=True, help_text="the address of the visitor")
    next_try_at = models.DateTimeField(null=True, help_text="empty when it has been dealt with")
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["email", "created_at"], name="mail_request_email"),
            models.Index(fields=["asked_from", "created_at"], name="mail_request_asked_from"),
            models.Index(fields=["next_try_at"], name="mail_request_due"),
        ]

    def __str__(self) -> str:
        return f"mail of {self.created_at:%d %B %Y}"
