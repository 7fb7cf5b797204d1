"""The candidate of a project that is always up to date."""

from dataclasses import asdict
from typing import Any

from ninja import Router, Status

from classifier import selectors
from classifier.access import SignedIn, find_project
from classifier.api import version_schemas as schemas
from classifier.api.errors import errors
from classifier.api.present import present_version
from classifier.services.candidates import find_state, keep_candidate

router = Router()


@router.get("/projects/{slug}/candidate", response={200: schemas.CandidateOut, **errors(404, 422)})
def get_candidate(request: SignedIn, slug: str) -> Any:
    """Return how good a version of the pictures as they are would be, where the project is always up to date."""
    state = find_state(find_project(request, slug))
    if state is None:
        return {"up_to_date": False}
    candidate, has_figure = state.candidate, bool(state.candidate and state.candidate.artifact_digest)
    found = {"up_to_date": True, "training": state.is_training, "version": state.version}
    if candidate is None:
        return found
    return found | {
        "reason": candidate.reason,
        "accuracy": asdict(candidate.accuracy) if has_figure else None,
        "live_accuracy": asdict(state.live.accuracy) if state.live and state.live.number == candidate.since else None,
        "live_version": candidate.since,
        "labels": candidate.labels,
        "removed": candidate.removed,
        "failures": candidate.failures,
        "artifact_digest": candidate.artifact_digest or None,
        "trained_at": candidate.trained_at,
        "can_be_kept": state.can_be_kept,
    }


@router.post(
    "/projects/{slug}/candidate/keep",
    response={201: schemas.VersionOut, **errors(400, 404, 409, 413, 422)},
)
def keep_project_candidate(request: SignedIn, slug: str) -> Any:
    """Make the candidate a version, the one that a training now would give. A 409 if pictures have changed since."""
    version = keep_candidate(find_project(request, slug), by=request.user)
    return Status(201, present_version(version, selectors.live_version(version.project)))
