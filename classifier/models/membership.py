from django.conf import settings
from django.db import models

from classifier.models.project import Project
from classifier.models.team import Team
from classifier.roles import GIVEN, Role


class Membership(models.Model):
    """The role of a user, or of a team, in a project that is somebody else's."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="project_memberships"
    )
    team = models.ForeignKey(Team, null=True, on_delete=models.CASCADE, related_name="project_memberships")
    role = models.CharField(max_length=10, choices=[(role.value, role.label) for role in GIVEN])
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once_per_user"),
            models.UniqueConstraint(fields=["project", "team"], name="membership_once_per_team"),
            models.CheckConstraint(
                condition=models.Q(user__isnull=True, team__isnull=False)
                | models.Q(user__isnull=False, team__isnull=True),
                name="membership_of_user_or_team",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=["editor", "viewer", "classifier"]), name="membership_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.who}: {Role(self.role).label}"

    @property
    def who(self) -> str:
        """Return the name of the user or of the team."""
        return self.user.username if self.user else self.team.name if self.team else ""
