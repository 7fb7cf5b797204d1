from django.conf import settings
from django.db import models
from django.utils import timezone

from classifier.models.project import Project
from classifier.roles import GIVEN


class Invitation(models.Model):
    """A link with which people become members of a project. Revoked, it has expired."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=10, choices=[(role.value, role.label) for role in GIVEN])
    token = models.CharField(max_length=64, unique=True)
    email = models.EmailField(blank=True, help_text="where it was sent, if it was")
    places = models.PositiveSmallIntegerField(default=1, help_text="how many people may use it")
    taken = models.PositiveSmallIntegerField(default=0, help_text="how many have")
    expires_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=["editor", "viewer", "classifier"]), name="invitation_role_known"
            ),
            models.CheckConstraint(condition=models.Q(taken__lte=models.F("places")), name="invitation_places_left"),
        ]

    def __str__(self) -> str:
        return f"invitation to {self.project}"

    @property
    def is_open(self) -> bool:
        """Return whether somebody may still use it."""
        return self.taken < self.places and self.expires_at > timezone.now()
