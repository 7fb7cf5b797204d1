from django.db import models


class SignUp(models.Model):
    """An account that somebody wants, until they have opened the link that was mailed to them, or for a day."""

    username = models.CharField(max_length=150)
    email = models.EmailField()
    password = models.CharField(max_length=128, help_text="hashed")
    invitation = models.CharField(max_length=64, blank=True, help_text="the token of one that they come from")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"sign-up of {self.username}"
