"""Members of a project, and invitations."""

from datetime import datetime
from typing import Any, Literal

from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status
from pydantic import StrictInt

from classifier.access import SignedIn, find_project
from classifier.api.auth import WHOLE_AUTH
from classifier.api.errors import errors
from classifier.api.schemas import Input
from classifier.models import Invitation, Membership
from classifier.roles import MAY, Role
from classifier.services import members as service
from classifier.services.members import MOST_DAYS, MOST_PLACES
from classifier.services.teams import find_team

router = Router()

GivenRole = Literal["editor", "viewer", "classifier"]
ROLES = "; ".join(f"{role}: may {MAY[role]}" for role in Role)


class MemberOut(Schema):
    id: int | None = Field(description="null for the owner")
    username: str | None = Field(description="null for a team")
    team: str | None
    role: Literal["owner", "editor", "viewer", "classifier"] = Field(description=ROLES)


class MemberIn(Input):
    username: str | None = Field(None, max_length=150, description="of somebody with an account; or give a team")
    team: StrictInt | None = Field(None, description="the id of a team of yours")
    role: GivenRole


class RoleIn(Input):
    role: GivenRole


class InvitationIn(Input):
    role: GivenRole
    places: StrictInt = Field(1, ge=1, le=MOST_PLACES, description="how many people may use it")
    days: StrictInt = Field(7, ge=1, le=MOST_DAYS, description="for how long it works")


class InvitationOut(Schema):
    id: int
    role: GivenRole
    places: int
    taken: int
    expires_at: datetime
    address: str = Field(description="whoever opens it and has an account may become a member")


class HandOnIn(Input):
    username: str = Field(max_length=150, description="of a member")


def _present(one: Membership) -> dict[str, Any]:
    team = one.team.name if one.team else None
    return {"id": one.pk, "username": one.user.username if one.user else None, "team": team, "role": one.role}


def _present_invitation(one: Invitation) -> dict[str, Any]:
    shown = {name: getattr(one, name) for name in InvitationOut.model_fields if name != "address"}
    return {**shown, "address": service.invitation_address(one)}


@router.get("/projects/{slug}/members", response={200: list[MemberOut], **errors(404, 422)})
def list_members(request: SignedIn, slug: str) -> Any:
    """List the owner and the members of a project."""
    project = find_project(request, slug)
    owner = {"id": None, "username": project.owner.username, "team": None, "role": Role.OWNER}
    return [owner, *map(_present, service.list_members(project))]


@router.post("/projects/{slug}/members", response={201: MemberOut, **errors(400, 404, 409, 413, 422)})
def add_member(request: SignedIn, slug: str, payload: MemberIn) -> Any:
    """Give a role to somebody who has an account, or to a team; for those who have one already it changes."""
    project, role = find_project(request, slug, Role.OWNER), Role(payload.role)
    if (payload.username is None) == (payload.team is None):
        raise service.NoSuchPerson("Give either a user name or the id of a team.")
    if payload.username is not None:
        return Status(201, _present(service.add_member(project, payload.username, role, by=request.user)))
    team = find_team(request.user, payload.team or 0)
    return Status(201, _present(service.add_team(project, team, role, by=request.user)))


@router.patch("/projects/{slug}/members/{member_id}", response={200: MemberOut, **errors(400, 404, 409, 413, 422)})
def change_role(request: SignedIn, slug: str, member_id: int, payload: RoleIn) -> Any:
    """Give a member another role."""
    member = get_object_or_404(service.list_members(find_project(request, slug, Role.OWNER)), pk=member_id)
    service.change_role(member, Role(payload.role))
    member.refresh_from_db(fields=["role"])
    return _present(member)


@router.delete("/projects/{slug}/members/{member_id}", response={204: None, **errors(400, 404, 409, 413, 422)})
def remove_member(request: SignedIn, slug: str, member_id: int) -> Any:
    """Remove a member; what they did stays."""
    members = service.list_members(find_project(request, slug, Role.OWNER))
    service.remove_member(get_object_or_404(members, pk=member_id))
    return Status(204, None)


@router.post("/projects/{slug}/leave", response={204: None, **errors(400, 404, 409, 413, 422)})
def leave_project(request: SignedIn, slug: str) -> Any:
    """Leave a project. Its owner cannot, and members of a team leave the team."""
    service.leave(find_project(request, slug, Role.CLASSIFIER), by=request.user)
    return Status(204, None)


@router.post("/projects/{slug}/owner", response={200: list[MemberOut], **errors(400, 404, 409, 413, 422)})
def hand_on_project(request: SignedIn, slug: str, payload: HandOnIn) -> Any:
    """Make a member the owner. You become an editor."""
    project = find_project(request, slug, Role.OWNER)
    heir = service.hand_on(project, payload.username, by=request.user)
    owner = {"id": None, "username": heir.username, "team": None, "role": Role.OWNER}
    return [owner, *map(_present, service.list_members(project))]


@router.get("/projects/{slug}/invitations", response={200: list[InvitationOut], **errors(404, 422)}, auth=WHOLE_AUTH)
def list_invitations(request: SignedIn, slug: str) -> Any:
    """List the invitations that still work. A key that may only look is refused: who has an address is let in."""
    return [_present_invitation(one) for one in service.list_invitations(find_project(request, slug, Role.OWNER))]


@router.post("/projects/{slug}/invitations", response={201: InvitationOut, **errors(400, 404, 409, 413, 422)})
def invite(request: SignedIn, slug: str, payload: InvitationIn) -> Any:
    """Make a link with which people become members."""
    project = find_project(request, slug, Role.OWNER)
    given = payload.model_dump(exclude={"role"})
    return Status(201, _present_invitation(service.invite(project, Role(payload.role), by=request.user, **given)))


@router.delete("/projects/{slug}/invitations/{invitation_id}", response={204: None, **errors(400, 404, 409, 413, 422)})
def revoke_invitation(request: SignedIn, slug: str, invitation_id: int) -> Any:
    """Revoke an invitation; who has used it stays a member."""
    found = find_project(request, slug, Role.OWNER).invitations
    service.revoke_invitation(get_object_or_404(found, pk=invitation_id))
    return Status(204, None)


@router.post("/invitations/{token}/accept", response={200: dict[str, str], **errors(400, 404, 409, 413, 422)})
def accept_invitation(request: SignedIn, token: str) -> Any:
    """Become a member of the project of an invitation, whose slug is the answer."""
    return {"slug": service.accept(token, by=request.user).slug}
