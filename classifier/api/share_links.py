"""Links with which people without an account ask a project's live version."""

from datetime import datetime
from typing import Any, Literal

from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status
from pydantic import StrictInt

from classifier.access import SignedIn, find_project
from classifier.api.auth import WHOLE_AUTH
from classifier.api.errors import errors
from classifier.api.schemas import Input
from classifier.models import ShareLink
from classifier.roles import Role
from classifier.services import share_links as service

router = Router()


Kind = Literal["classify", "upload"]
KINDS = "classify with the live version, or send pictures that a member then accepts or refuses"


class ShareLinkIn(Input):
    kind: Kind = Field("classify", description=KINDS)
    days: StrictInt = Field(30, ge=1, le=service.MOST_DAYS, description="for how long it works")
    per_hour: StrictInt = Field(1000, ge=1, le=service.MOST_PER_HOUR, description="pictures, of all who use it")


class ShareLinkOut(Schema):
    id: int
    kind: Kind
    address: str = Field(description="of the page; programs use `classify_shared` with its last part")
    per_hour: int
    expires_at: datetime
    created_at: datetime


def _present(link: ShareLink) -> dict[str, Any]:
    shown = {name: getattr(link, name) for name in ShareLinkOut.model_fields if name != "address"}
    return {**shown, "address": service.link_address(link)}


@router.get("/projects/{slug}/share-links", response={200: list[ShareLinkOut], **errors(404, 422)}, auth=WHOLE_AUTH)
def list_share_links(request: SignedIn, slug: str) -> Any:
    """List the links that work. A key that may only look is refused: who has an address is let in."""
    return [_present(link) for link in service.list_links(find_project(request, slug, Role.OWNER))]


@router.post("/projects/{slug}/share-links", response={201: ShareLinkOut, **errors(400, 404, 409, 413, 422)})
def create_share_link(request: SignedIn, slug: str, payload: ShareLinkIn) -> Any:
    """Make a link with which anybody may classify with the live version, or send pictures."""
    project = find_project(request, slug, Role.OWNER)
    return Status(201, _present(service.create_link(project, by=request.user, **payload.model_dump())))


@router.delete("/projects/{slug}/share-links/{link_id}", response={204: None, **errors(400, 404, 409, 413, 422)})
def revoke_share_link(request: SignedIn, slug: str, link_id: int) -> Any:
    """Revoke a link. Nobody can use it any more."""
    links = service.list_links(find_project(request, slug, Role.OWNER))
    service.revoke_link(get_object_or_404(links, pk=link_id))
    return Status(204, None)
