"""A job's row as a progress bar, for page and API alike."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from classifier.jobs.kinds import KINDS, TRAIN, Stage
from classifier.models import Job

MEASURED = {"head": "head_seconds"}  # stages whose seconds the last training of the site tells; see JobState.measured


@dataclass(frozen=True)
class Progress:
    """What a bar shows. `rate` in units per second; `eta` in seconds, None while nothing is measured."""

    title: str
    fraction: float
    done: int
    total: int
    unit: str
    rate: float | None
    eta: float | None


def job_progress(job: Job) -> Progress:
    """Return how far a job is, over all its stages."""
    stages = KINDS[job.kind].stages_of(job.config)
    names = [stage.name for stage in stages]
    rate = _rate(job)
    if job.waits_for_answer:
        return Progress("Waiting for your answer", 0.0, 0, 0, "", None, None)
    if job.stage not in names:
        fraction = 1.0 if job.status == Job.Status.SUCCEEDED else 0.0
        return Progress("Waiting for a worker", fraction, job.done, job.total, "", rate, None)
    place = names.index(job.stage)
    inside = min(job.done / job.total, 1.0) if job.total else 0.0
    weights = [stage.weight for stage in stages]
    fraction = (sum(weights[:place]) + weights[place] * inside) / sum(weights)
    if job.status == Job.Status.SUCCEEDED:
        fraction = 1.0
    stage = stages[place]
    eta = _eta(job, stages[place:], rate) if job.is_open else None
    return Progress(stage.title, fraction, job.done, job.total, stage.unit, rate, eta)


def _eta(job: Job, stages: list[Stage], rate: float | None) -> float | None:
    """Return the seconds to the end, from the current stage's measured rate and what is known of those that follow."""
    current, *later = stages
    left = _left_of_stage(job, current, rate)
    if left is None:
        return None
    known = [_usual_seconds(stage) for stage in later if stage.name in MEASURED]
    follows = sum(seconds for seconds in known if seconds)
    if any(stage.name == "fine_tune" for stage in later):
        follows += job.state.get("tuning_seconds") or 0.0
    return left + follows


def _left_of_stage(job: Job, stage: Stage, rate: float | None) -> float | None:
    if stage.seconds is None:
        return max(job.total - job.done, 0) / rate if rate else None
    if job.stage_started_at is None:
        return None
    left = (_usual_seconds(stage) or 0.0) - (timezone.now() - job.stage_started_at).total_seconds()
    return left if left > 0 else None  # overdue: no figure is better than a wrong one


def _usual_seconds(stage: Stage) -> float | None:
    """Return what the stage took in the last training, or a first guess."""
    key = MEASURED.get(stage.name)
    if key is None:
        return stage.seconds
    like: dict[str, Any] = {"kind": TRAIN.name, "status": Job.Status.SUCCEEDED, "state__measured__has_key": key}
    last = Job.objects.filter(**like).order_by("-pk").values_list("state", flat=True).first()
    return float(last["measured"][key]) if last else stage.seconds


def _rate(job: Job) -> float | None:
    end: datetime = job.finished_at or timezone.now()
    if not job.stage_started_at or not job.done:
        return None
    return job.done / max((end - job.stage_started_at).total_seconds(), 0.001)
