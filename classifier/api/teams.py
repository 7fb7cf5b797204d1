"""Teams: people who are given roles in projects together."""

from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status

from classifier.access import SignedIn
from classifier.api.errors import errors
from classifier.api.schemas import Input
from classifier.models import Team
from classifier.services import teams as service

router = Router()


class TeamIn(Input):
    name: str


class PersonIn(Input):
    username: str = Field(max_length=150)


class TeamOut(Schema):
    id: int
    name: str
    owner: str
    members: list[str]


def _present(team: Team) -> dict[str, Any]:
    members = sorted(team.members.values_list("username", flat=True))
    return {"id": team.pk, "name": team.name, "owner": team.owner.username, "members": members}


@router.get("/teams", response={200: list[TeamOut], **errors(422)})
def list_teams(request: SignedIn) -> Any:
    """List the teams that you have made or belong to."""
    return [_present(team) for team in service.list_teams(request.user)]


@router.post("/teams", response={201: TeamOut, **errors(400, 409, 413, 422)})
def create_team(request: SignedIn, payload: TeamIn) -> Any:
    """Make a team, to which you belong."""
    return Status(201, _present(service.create_team(payload.name, by=request.user)))


@router.delete("/teams/{team_id}", response={204: None, **errors(400, 404, 409, 413, 422)})
def delete_team(request: SignedIn, team_id: int) -> Any:
    """Delete a team of yours; those in it lose the roles that came with it."""
    service.delete_team(get_object_or_404(request.user.own_teams, pk=team_id))
    return Status(204, None)


@router.post("/teams/{team_id}/members", response={200: TeamOut, **errors(400, 404, 409, 413, 422)})
def add_to_team(request: SignedIn, team_id: int, payload: PersonIn) -> Any:
    """Add somebody who has an account to a team of yours."""
    team = get_object_or_404(request.user.own_teams, pk=team_id)
    service.add_to_team(team, payload.username)
    return _present(team)


@router.delete("/teams/{team_id}/members/{username}", response={204: None, **errors(400, 404, 409, 413, 422)})
def remove_from_team(request: SignedIn, team_id: int, username: str) -> Any:
    """Take somebody out of a team of yours, or yourself out of one of others."""
    teams = request.user.own_teams if username != request.user.username else service.list_teams(request.user)
    team = get_object_or_404(teams, pk=team_id)
    service.remove_from_team(team, get_object_or_404(team.members, username=username))
    return Status(204, None)
