"""Which backbone fits a project's pictures best."""

from typing import Any

from django.http import Http404
from ninja import Field, Router, Schema, Status

from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.errors import errors
from classifier.jobs.results import BackboneTrial
from classifier.services import backbone_comparisons
from classifier.services.backbone_comparisons import Judged

router = Router()


class TrialOut(BackboneTrial):
    accuracy: float = Field(description="in cross-validation")
    gain: float = Field(description="by how much more of the pictures are right than with the current backbone")
    current: bool
    recommended: bool = Field(description="the most accurate of those that are better by more than chance makes")
    sentence: str = Field(description="how it compares with the current one")


class BackboneComparisonOut(Schema):
    job: int
    pictures: int = Field(description="how many all of them were judged by")
    trials: list[TrialOut] = Field(description="the most accurate first")


@router.post("/projects/{slug}/backbone-comparison", response={202: schemas.JobRef, **errors(400, 404, 409, 413, 422)})
def compare_backbones(request: SignedIn, slug: str) -> Any:
    """Start a job that tries the backbones at hand on the project's pictures, or return the one that is open."""
    job = backbone_comparisons.request_comparison(find_project(request, slug), by=request.user)
    return Status(202, {"job": job.pk})


@router.get("/projects/{slug}/backbone-comparison", response={200: BackboneComparisonOut, **errors(404)})
def get_backbone_comparison(request: SignedIn, slug: str) -> Any:
    """Return what the last comparison says of each backbone. A 404 if there has been none."""
    job = backbone_comparisons.find_last(find_project(request, slug))
    if job is None:
        raise Http404("The backbones have not been compared on the pictures of this project yet.")
    judged = backbone_comparisons.judge_trials(job)
    return {"job": job.pk, "pictures": job.result["pictures"], "trials": [_present(one) for one in judged]}


def _present(one: Judged) -> dict[str, Any]:
    return {
        **one.trial.model_dump(),
        "accuracy": one.accuracy,
        "gain": one.gain,
        "current": one.is_current,
        "recommended": one.is_recommended,
        "sentence": one.words,
    }
