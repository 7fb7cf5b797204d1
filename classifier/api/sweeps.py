"""Several trainings with different settings, compared in one table."""

from datetime import datetime
from typing import Annotated, Any

from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status
from pydantic import StrictBool, create_model

from classifier.access import SignedIn, find_project
from classifier.api import schemas
from classifier.api.errors import errors
from classifier.api.present import present_jobs
from classifier.models import Sweep
from classifier.services import sweeps
from ml.training.config import TrainConfig

router = Router()


def _lists_of_values() -> dict[str, Any]:
    """Give each setting of a training a list of its values; whether each can be used, the config says."""
    return {
        name: (
            Annotated[list[Any], Field(max_length=sweeps.MOST_TRAININGS)] | None,
            Field(None, description=f"values of: {field.title}"),
        )
        for name, field in TrainConfig.model_fields.items()
    }


SweepSettings = create_model("SweepSettings", __base__=schemas.Input, **_lists_of_values())


class SweepIn(schemas.Input):
    settings: SweepSettings = Field(description="a list of values for each setting; what is left out has its default")
    force: StrictBool = Field(False, description="Train in spite of warnings.")


class SweepResult(Schema):
    job: schemas.JobOut
    settings: dict[str, Any] = Field(description="the values of what was varied")
    model_version: int | None
    accuracy: float | None
    interval: list[float] | None = Field(description="95 % confidence interval of the accuracy")
    seconds: float | None = Field(description="from the beginning of the training to its end")
    best: bool = Field(description="the most accurate; of equal ones the quickest")


class SweepOut(Schema):
    number: int
    varied: dict[str, list[Any]]
    created_at: datetime
    results: list[SweepResult]


@router.post("/projects/{slug}/sweeps", response={202: SweepOut, **errors(400, 404, 409, 413, 422)})
def start_sweep(request: SignedIn, slug: str, payload: SweepIn) -> Any:
    """Train with each combination of the values, one after the other. None goes live by itself."""
    values = {name: chosen for name, chosen in payload.settings.dict().items() if chosen is not None}
    project = find_project(request, slug)
    return Status(202, _present(sweeps.request_sweep(project, values, by=request.user, force=payload.force)))


@router.get("/projects/{slug}/sweeps", response={200: list[SweepOut], **errors(404, 422)})
def list_sweeps(request: SignedIn, slug: str) -> Any:
    """List the last twenty sweeps of a project with their results."""
    return [_present(sweep) for sweep in find_project(request, slug).sweeps.all()[:20]]


@router.get("/projects/{slug}/sweeps/{number}", response={200: SweepOut, **errors(404, 422)})
def get_sweep(request: SignedIn, slug: str, number: int) -> Any:
    """Return a sweep with its results, the best one marked."""
    return _present(_find(request, slug, number))


@router.post("/projects/{slug}/sweeps/{number}/cancel", response={200: SweepOut, **errors(400, 404, 409, 413, 422)})
def cancel_sweep(request: SignedIn, slug: str, number: int) -> Any:
    """Cancel the trainings of a sweep that have not ended."""
    sweep = _find(request, slug, number)
    sweeps.cancel_sweep(sweep)
    return _present(sweep)


def _find(request: SignedIn, slug: str, number: int) -> Sweep:
    found: Sweep = get_object_or_404(find_project(request, slug).sweeps, number=number)
    return found


def _present(sweep: Sweep) -> dict[str, Any]:
    results = sweeps.list_results(sweep)
    jobs = present_jobs([result.job for result in results])
    return {
        "number": sweep.number,
        "varied": sweep.varied,
        "created_at": sweep.created_at,
        "results": [_present_result(result, job) for result, job in zip(results, jobs, strict=True)],
    }


def _present_result(result: sweeps.Result, job: dict[str, Any]) -> dict[str, Any]:
    begun, ended, accuracy = result.job.started_at, result.job.finished_at, result.accuracy
    return {
        "job": job,
        "settings": result.settings,
        "model_version": result.version.number if result.version else None,
        "accuracy": accuracy.accuracy if accuracy else None,
        "interval": list(accuracy.interval) if accuracy else None,
        "seconds": (ended - begun).total_seconds() if begun and ended else None,
        "best": result.is_best,
    }
