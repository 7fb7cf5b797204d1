from django.conf import settings
from django.db import models

from classifier.models.job import Job


class Webhook(models.Model):
    """An address that is told when a job ends that its user started."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    address = models.CharField(max_length=2000)
    secret = models.CharField(max_length=64, help_text="signs what is sent; its owner sees it once")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.address[:80]


class MailWish(models.Model):
    """Whether a user wants mails about jobs; the address is the account's."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mail_wish")
    wants_mails = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"mails {'on' if self.wants_mails else 'off'}"


class Delivery(models.Model):
    """A message about a job's end to a webhook, or by mail where there is none: sent, to be sent, or given up."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="deliveries")
    webhook = models.ForeignKey(Webhook, null=True, on_delete=models.CASCADE, related_name="deliveries")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    event = models.CharField(max_length=20)
    body = models.JSONField()
    status = models.CharField(max_length=7, choices=Status, default=Status.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    answer = models.CharField(max_length=200, blank=True, help_text="what came of the last try, in words")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["status", "next_try_at"], name="delivery_due")]
        constraints = [models.UniqueConstraint(fields=["webhook", "job", "user"], name="delivery_once")]

    def __str__(self) -> str:
        return f"{self.event} {self.status}"
