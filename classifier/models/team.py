from django.conf import settings
from django.db import models


class Team(models.Model):
    """People who are given roles in projects together. Whoever made it says who belongs to it."""

    name = models.CharField(max_length=100)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="own_teams")
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="teams")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="team_name_once_per_owner")]

    def __str__(self) -> str:
        return self.name
