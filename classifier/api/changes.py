"""The history of a project: what people did to its samples and classes, and undoing it."""

from typing import Any

from django.shortcuts import get_object_or_404
from ninja import Router
from ninja.params import functions as params

from classifier.access import SignedIn, find_project
from classifier.api import sample_schemas as schemas
from classifier.api.errors import errors
from classifier.models import Change
from classifier.services import history
from classifier.services.changes import undo

PAGE = 100

router = Router()


@router.get("/projects/{slug}/changes", response={200: list[schemas.ChangeOut], **errors(404, 422)})
def list_changes(
    request: SignedIn, slug: str, before: int | None = None, size: int = params.Query(PAGE, ge=1, le=1000)
) -> Any:
    """List who did what to the samples and classes, the newest first; `before` is the id of the last one seen."""
    found = history.list_changes(find_project(request, slug))
    if before is not None:
        found = found.filter(pk__lt=before)
    return [_present(change) for change in found[:size]]


@router.post(
    "/projects/{slug}/changes/{change_id}/undo",
    response={200: schemas.ChangedOut, **errors(400, 404, 409, 413, 422)},
)
def undo_change(request: SignedIn, slug: str, change_id: int) -> Any:
    """Undo a change. Samples that were changed once more since stay as they are; `changed` counts the others."""
    act = get_object_or_404(find_project(request, slug).changes, pk=change_id)
    back, _ = undo(act, by=request.user)
    return {"changed": back.count, "change": back.pk}


def _present(change: Change) -> dict[str, Any]:
    return {
        "id": change.pk,
        "kind": change.kind,
        "description": history.describe_change(change),
        "changed": change.count,
        "by": change.created_by.username if change.created_by else None,
        "undone": hasattr(change, "undone_by"),
        "created_at": change.created_at,
    }
