"""Where one is signed in."""

from datetime import datetime
from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status

from classifier.access import SignedIn
from classifier.api.errors import errors
from classifier.services import sessions

router = Router()


class SessionOut(Schema):
    id: int
    address: str = Field(description="from where it was last used")
    browser: str = Field(description="as it calls itself")
    created_at: datetime
    seen_at: datetime = Field(description="to some minutes")


@router.get("/sessions", response={200: list[SessionOut], **errors(422)})
def list_sessions(request: SignedIn) -> Any:
    """List the browsers in which you are signed in, the latest first."""
    return sessions.list_sessions(request.user)


@router.delete("/sessions/{session_id}", response={204: None, **errors(400, 404, 409, 413, 422)})
def end_session(request: SignedIn, session_id: int) -> Any:
    """Sign yourself out in one browser."""
    sessions.end_session(get_object_or_404(request.user.sessions, pk=session_id))
    return Status(204, None)
