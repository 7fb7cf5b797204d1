"""The users of the site, for administrators; for others there is nothing here."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status, params
from pydantic import StrictBool, StrictInt

from classifier.access import SignedIn, check_administrator
from classifier.api.errors import errors
from classifier.api.schemas import Input
from classifier.services import closing, second_factor
from classifier.services import users as service
from classifier.services.trash import leaves_at

router = Router()
MOST = 2**31 - 1


class UserOut(Schema):
    username: str
    email: str
    is_active: bool
    is_administrator: bool
    has_second_factor: bool
    projects: int
    bytes: int = Field(description="of the pictures in their projects")
    seen_at: datetime | None = Field(description="to some minutes")
    deleted_at: datetime | None = Field(description="when the account was moved to the trash")
    leaves_at: datetime | None = Field(description="when it is deleted for good")
    quota_pictures: int | None = Field(description="null: what the settings say; 0: without limit")
    quota_gb: int | None = Field(description="null: what the settings say; 0: without limit")
    quota_jobs: int | None = Field(description="open at a time; null: what the settings say; 0: without limit")
    quota_requests: int | None = Field(description="an hour, with keys; null: what the settings say; 0: without limit")


class UserIn(Input):
    username: str = Field(max_length=150)
    email: str = Field("", max_length=254)
    is_administrator: StrictBool = False


class UserChanges(Input):
    """What is left out stays as it is."""

    is_active: StrictBool | None = Field(None, description="false: nobody can sign in, and the keys stop")
    is_administrator: StrictBool | None = None
    quota_pictures: StrictInt | None = Field(None, ge=0, le=MOST, description="null: what the settings say")
    quota_gb: StrictInt | None = Field(None, ge=0, le=10**6, description="null: what the settings say")
    quota_jobs: StrictInt | None = Field(None, ge=0, le=10**6, description="null: what the settings say")
    quota_requests: StrictInt | None = Field(None, ge=0, le=10**9, description="null: what the settings say")


class PasswordLinkOut(Schema):
    address: str = Field(description="where a password is set, once; it is shown only here")
    was_mailed: bool = Field(description="to the user")


def _present(user: User) -> dict[str, Any]:
    (row,) = service.describe_users([user])
    return _present_row(row)


def _present_row(row: service.UserRow) -> dict[str, Any]:
    user, account = row.user, service.account_of(row.user)
    return {
        **{name: getattr(user, name) for name in ("username", "email", "is_active")},
        **{name: getattr(row, name) for name in ("projects", "bytes", "seen_at", "deleted_at")},
        "has_second_factor": row.has_second_factor,
        "is_administrator": user.is_superuser,
        "leaves_at": leaves_at(row.deleted_at) if row.deleted_at else None,
        **{f"quota_{name}": getattr(account, f"quota_{name}") for name in service.QUOTAS},
    }


def _find(request: SignedIn, username: str) -> User:
    check_administrator(request)
    return get_object_or_404(User.objects.select_related("account"), username=username.replace("\0", ""))


@router.get("/users", response={200: list[UserOut], **errors(404, 422)})
def list_users(
    request: SignedIn,
    search: str = params.Query("", max_length=150, description="part of a name or an e-mail address"),  # type: ignore[type-arg]
    after: str = params.Query("", max_length=150, description="the last name of the page before"),  # type: ignore[type-arg]
    limit: int = params.Query(100, ge=1, le=500),  # type: ignore[type-arg]
) -> Any:
    """List the users by name, those in the trash too."""
    check_administrator(request)
    found = service.list_users(search.replace("\0", "")).filter(username__gt=after.replace("\0", ""))
    return [_present_row(row) for row in service.describe_users(list(found[:limit]))]


@router.post("/users", response={201: UserOut, **errors(400, 404, 409, 413, 422)})
def create_user(request: SignedIn, payload: UserIn) -> Any:
    """Make an account, whose user sets the password with a link: see `create_password_link`."""
    check_administrator(request)
    user = service.create_user(payload.username, email=payload.email, administrator=payload.is_administrator)
    return Status(201, _present(user))


@router.get("/users/{username}", response={200: UserOut, **errors(404, 422)})
def get_user(request: SignedIn, username: str) -> Any:
    """Return what is known of a user."""
    return _present(_find(request, username))


@router.patch("/users/{username}", response={200: UserOut, **errors(400, 404, 409, 413, 422)})
def change_user(request: SignedIn, username: str, payload: UserChanges) -> Any:
    """Disable or enable an account, make its user an administrator or no longer one, set its quota."""
    user, given = _find(request, username), payload.dict(exclude_unset=True)
    if given.get("is_active") is not None:
        (service.enable_user if given["is_active"] else service.disable_user)(user, by=request.user)
        user.refresh_from_db()
    if given.get("is_administrator") is not None:
        service.set_administrator(user, given["is_administrator"], by=request.user)
    if quotas := {name: given[f"quota_{name}"] for name in service.QUOTAS if f"quota_{name}" in given}:
        service.set_quota(user, **quotas, by=request.user)
    return _present(_find(request, username))


@router.post("/users/{username}/password-link", response={201: PasswordLinkOut, **errors(400, 404, 409, 413, 422)})
def create_password_link(request: SignedIn, username: str) -> Any:
    """Make a link with which the user sets a new password; it is mailed where the site can do that."""
    user = _find(request, username)
    link = service.make_password_link(user)
    return Status(201, {"address": link, "was_mailed": service.mail_password_link(user, link)})


@router.delete("/users/{username}/second-factor", response={204: None, **errors(400, 404, 409, 413, 422)})
def remove_second_factor(request: SignedIn, username: str) -> Any:
    """Remove the second factor of somebody else who has lost it; the password is then enough to sign in."""
    second_factor.remove(_find(request, username), by=request.user)
    return Status(204, None)


@router.delete("/users/{username}", response={204: None, **errors(400, 404, 409, 413, 422)})
def delete_user(
    request: SignedIn,
    username: str,
    at_once: str | None = params.Query(None, max_length=200, description="the user name, to delete it for good"),  # type: ignore[type-arg]
) -> Any:
    """Move an account to the trash, with its projects; hand on before what is to stay.

    With `at_once`, which jobs do, nobody can bring it back.
    """
    user = _find(request, username)
    if at_once is not None and at_once != user.username:
        raise closing.OtherName
    closing.delete_account(user, by=request.user)
    if at_once is not None:
        closing.hasten_purge(user, at_once, by=request.user)
    return Status(204, None)


@router.post("/users/{username}/restore", response={204: None, **errors(400, 404, 409, 413, 422)})
def restore_user(request: SignedIn, username: str) -> Any:
    """Take an account out of the trash, with the projects that went with it."""
    closing.restore_account(_find(request, username), by=request.user)
    return Status(204, None)
