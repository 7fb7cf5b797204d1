"""The audit log, for administrators; for others there is nothing here."""

from datetime import date, datetime
from typing import Any

from ninja import Field, Router, Schema, params

from classifier.access import SignedIn, check_administrator
from classifier.api.errors import errors
from classifier.services.audit_log import list_entries

router = Router()
SINCE = params.Query(None, description="the first day")  # type: ignore[type-arg]
UNTIL = params.Query(None, description="the last day")  # type: ignore[type-arg]
BEFORE = params.Query(None, ge=1, le=2**62, description="the last id before")  # type: ignore[type-arg]


class AuditEntryOut(Schema):
    id: int
    at: datetime
    username: str = Field(description="who has done it; empty where the site itself did it, or nobody was signed in")
    action: str = Field(description="such as project.deleted")
    about: str
    address: str = Field(description="where the request came from")
    details: dict[str, int | str]


@router.get("/audit-log", response={200: list[AuditEntryOut], **errors(404, 422)})
def list_audit_entries(
    request: SignedIn,
    who: str = params.Query("", max_length=150, description="a user name"),  # type: ignore[type-arg]
    action: str = params.Query("", max_length=40),  # type: ignore[type-arg]
    since: date | None = SINCE,
    until: date | None = UNTIL,
    before: int | None = BEFORE,
    limit: int = params.Query(100, ge=1, le=1000),  # type: ignore[type-arg]
) -> Any:
    """List who has done what, when and from where, the newest first."""
    check_administrator(request)
    found = list_entries(who=who.replace("\0", ""), action=action.replace("\0", ""), since=since, until=until)
    return found.filter(pk__lt=before)[:limit] if before else found[:limit]
