"""The settings of the site and its banner, for administrators; for others there is nothing here."""

from typing import Any, Literal

from ninja import Field, Router, Schema

from classifier.access import SignedIn, check_administrator
from classifier.api.errors import errors
from classifier.api.schemas import Input
from classifier.services import site_settings as service

router = Router()


class SettingOut(Schema):
    name: str
    value: str = Field(description="of a secret, only whether there is one")
    default: str = Field(description="empty where it depends on the machine")
    source: Literal["environment", ".env", "file", "default"]
    section: str
    description: str


class BannerIn(Input):
    banner: str = Field(max_length=service.LONGEST, description="what every page shows; empty for nothing")


class BannerOut(Schema):
    banner: str


@router.get("/settings", response={200: list[SettingOut], **errors(404, 422)})
def list_settings(request: SignedIn) -> Any:
    """List the settings of the site, with where they come from."""
    check_administrator(request)
    return service.list_settings()


@router.get("/banner", response={200: BannerOut, **errors(404, 422)})
def get_banner(request: SignedIn) -> Any:
    """Return what every page shows on top."""
    check_administrator(request)
    return {"banner": service.get_banner()}


@router.put("/banner", response={200: BannerOut, **errors(400, 404, 409, 413, 422)})
def set_banner(request: SignedIn, payload: BannerIn) -> Any:
    """Show a text on every page, or nothing."""
    check_administrator(request)
    service.set_banner(payload.banner, by=request.user)
    return {"banner": service.get_banner()}
