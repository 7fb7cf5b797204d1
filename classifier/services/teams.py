"""Teams: people who are given roles in projects together."""

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from classifier.models import Team
from classifier.services.audit_log import record
from classifier.services.members import NoSuchPerson
from classifier.services.projects import InvalidName, clean_name
from ml.errors import Conflict

MOST_TEAMS = 100  # of their maker
MOST_IN_TEAM = 2000


class TooLarge(Conflict):
    """There are as many teams, or as many people in one, as are allowed."""


def list_teams(user: User) -> QuerySet[Team]:
    """List the teams that this user has made or belongs to."""
    return Team.objects.filter(Q(owner=user) | Q(members=user)).distinct().select_related("owner")


def find_team(user: User, pk: int) -> Team:
    """Return a team that this user has made or belongs to. Raise NoSuchPerson."""
    found = list_teams(user).filter(pk=pk).first()
    if found is None:
        raise NoSuchPerson("You have no team with this number.")
    return found


def create_team(name: str, *, by: User) -> Team:
    """Make a team, to which its maker belongs. Raise InvalidName, TooLarge."""
    if by.own_teams.count() >= MOST_TEAMS:
        raise TooLarge(f"You have {MOST_TEAMS} teams already. Delete one first.")
    try:
        with transaction.atomic():
            team = Team.objects.create(name=clean_name(name, longest=100), owner=by)
            team.members.add(by)
            record("team.created", team.name, by=by)
            return team
    except IntegrityError:
        raise InvalidName("You have a team of this name already.") from None


def add_to_team(team: Team, username: str) -> User:
    """Let a user with this name belong to the team. Raise NoSuchPerson, TooLarge."""
    user = User.objects.filter(username__iexact=username.strip(), is_active=True).first()
    if user is None:
        raise NoSuchPerson("Nobody with an account here has this user name.")
    if team.members.count() >= MOST_IN_TEAM:
        raise TooLarge(f"A team has at most {MOST_IN_TEAM} members.")
    team.members.add(user)
    record("team.added", team.name, member=user.username)
    return user


def remove_from_team(team: Team, user: User) -> None:
    """Let somebody belong to the team no longer, and so lose the roles that came with it."""
    team.members.remove(user)
    record("team.removed", team.name, member=user.username)


def delete_team(team: Team) -> None:
    """Delete a team; those in it lose the roles that came with it."""
    team.delete()
    record("team.deleted", team.name)
