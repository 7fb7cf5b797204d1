"""What members of a project may do: four roles, each of which may do all that the ones below it may."""

from django.db.models import TextChoices


class Role(TextChoices):
    """A member's role, the most powerful first."""

    OWNER = "owner", "Owner"
    EDITOR = "editor", "Editor"
    VIEWER = "viewer", "Viewer"
    CLASSIFIER = "classifier", "Classifier"

    def reaches(self, least: "Role") -> bool:
        """Return whether this role may do what `least` may."""
        return self in at_least(least)


# What is said of each where one is chosen, and in the docs (a test compares them).
MAY = {
    Role.OWNER: "everything: also invite people, share, hand on and delete the project",
    Role.EDITOR: "add, label and delete pictures, train, make versions live, export",
    Role.VIEWER: "look at everything and classify, and change nothing",
    Role.CLASSIFIER: "classify pictures, and see nothing else",
}
GIVEN = tuple(role for role in Role if role is not Role.OWNER)  # a project has one owner, who hands it on


def at_least(least: Role) -> list[Role]:
    """List the roles that may do what this one may."""
    ordered = list(Role)
    return ordered[: ordered.index(least) + 1]


def strongest(roles: "list[str]") -> Role | None:
    """Return the most powerful of these roles, or None of none."""
    return next((role for role in Role if role in roles), None)


def needed_for(method: str | None) -> Role:
    """Return the role that a request needs where nothing else is said: looking is for viewers, the rest for editors."""
    return Role.VIEWER if method in ("GET", "HEAD", "OPTIONS") else Role.EDITOR
