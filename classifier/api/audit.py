"""What may be wrong with a project's pictures."""

from typing import Any

from ninja import Router, Status
from ninja.params import functions as params

from classifier.access import SignedIn, find_project
from classifier.api import audit_schemas as schemas
from classifier.api.errors import errors
from classifier.api.sample_schemas import CountOut
from classifier.api.schemas import JobRef
from classifier.models import Audit, Finding
from classifier.services import audits

PAGE = 100

router = Router()


@router.get("/projects/{slug}/audit", response={200: schemas.AuditOut, **errors(404, 422)})
def get_audit(
    request: SignedIn,
    slug: str,
    kind: schemas.Kind | None = None,
    dismissed: bool = False,
    offset: int = params.Query(0, ge=0, le=10**9),
    size: int = params.Query(PAGE, ge=1, le=1000),
) -> Any:
    """Return what the last check found: how many findings of each kind, and those of a kind, the worst first."""
    project = find_project(request, slug)
    audit = Audit.objects.filter(project=project).first()
    found = audits.list_findings(project, kind, dismissed=dismissed).select_related("sample")
    return {
        "created_at": audit.created_at if audit else None,
        "samples": audit.samples if audit else 0,
        "learning_curve": audits.learning_curve(project).model_dump(),
        "kinds": [
            {**_describe(one), "count": one.count, "dismissed": one.dismissed} for one in audits.summarise(project)
        ],
        "findings": [_present(finding) for finding in found[offset : offset + size]],
    }


def _describe(summary: audits.Summary) -> dict[str, str]:
    kind = summary.kind
    return {"kind": kind.name, "title": kind.title, "sentence": kind.sentence, "severity": kind.severity}


def _present(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.pk,
        "kind": finding.kind,
        "sample": finding.sample_id,
        "file": finding.sample.file_name if finding.sample else None,
        "class_id": finding.image_class_id,
        "score": finding.score,
        "details": finding.details,
        "dismissed": finding.dismissed_at is not None,
    }


@router.post("/projects/{slug}/audit", response={202: JobRef, **errors(400, 404, 409, 413, 422)})
def start_audit(request: SignedIn, slug: str) -> Any:
    """Start a check of all pictures, or return the one that is running."""
    return Status(202, {"job": audits.request_audit(find_project(request, slug), by=request.user).pk})


@router.post("/projects/{slug}/audit/dismiss", response={200: CountOut, **errors(400, 404, 409, 413, 422)})
def dismiss_findings(request: SignedIn, slug: str, payload: schemas.DismissIn) -> Any:
    """Dismiss findings of a kind, so that later checks do not tell of them; or, with `undo`, take that back."""
    project = find_project(request, slug)
    if payload.undo:
        return {"changed": audits.reopen(project, payload.kind, ids=payload.ids)}
    return {"changed": audits.dismiss(project, payload.kind, by=request.user, ids=payload.ids)}
