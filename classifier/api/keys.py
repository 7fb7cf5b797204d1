"""Keys for the API."""

from datetime import datetime
from typing import Any, Literal

from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status
from pydantic import StrictInt

from classifier.access import SignedIn
from classifier.api.errors import errors
from classifier.api.schemas import Input
from classifier.models.api_key import LONGEST_KEY_DAYS, ApiKey
from classifier.services.accounts import create_api_key, revoke_api_key

router = Router()


class KeyIn(Input):
    name: str
    scope: Literal["everything", "read", "classify"] = Field(
        "everything", description="what calls the key opens; read: all that change nothing, and classify"
    )
    days: StrictInt | None = Field(
        None, ge=1, le=LONGEST_KEY_DAYS, description="for how long the key works; left out: until it is revoked"
    )


class KeyOut(Schema):
    id: int
    name: str
    scope: Literal["everything", "read", "classify"]
    prefix: str = Field(description="what the key starts with")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="to the minute")


class NewKeyOut(KeyOut):
    key: str = Field(description="shown only once")


@router.get("/keys", response={200: list[KeyOut], **errors(422)})
def list_keys(request: SignedIn) -> Any:
    """List your keys, without those that were revoked."""
    return request.user.api_keys.filter(revoked_at=None)


@router.post("/keys", response={201: NewKeyOut, **errors(400, 409, 413, 422)})
def create_key(request: SignedIn, payload: KeyIn) -> Any:
    """Create a key. The answer is the only place that shows it."""
    row, key = create_api_key(request.user, payload.name, scope=payload.scope, days=payload.days)
    return Status(201, {**_present(row), "key": key})


def _present(row: ApiKey) -> dict[str, Any]:
    return {name: getattr(row, name) for name in KeyOut.model_fields}


@router.delete("/keys/{key_id}", response={204: None, **errors(400, 404, 409, 413, 422)})
def revoke_key(request: SignedIn, key_id: int) -> Any:
    """Revoke a key. Programs that use it stop working."""
    revoke_api_key(get_object_or_404(request.user.api_keys, pk=key_id))
    return Status(204, None)
