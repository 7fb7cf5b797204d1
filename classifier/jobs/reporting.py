"""What a worker writes of a job whose lease it holds: its stages, its progress and its state.

Everything here raises LeaseLost where the job was cancelled or another worker has it.
"""

from typing import Any

from django.db import transaction
from django.utils import timezone

from classifier.jobs.kinds import KINDS
from classifier.jobs.lifecycle import update_held
from classifier.jobs.log import write_line
from classifier.jobs.stage_times import with_stage_time
from classifier.jobs.stages import Stage
from classifier.jobs.state import dump_state, read_state
from classifier.models import Job


class UnknownStage(LookupError):
    """A job entered a stage that its kind does not have."""


def enter_stage(job: Job, stage: str, *, total: int = 0) -> None:
    """Begin a stage of `total` units and measure its rate from now. Raise UnknownStage if the job's kind lacks it."""
    entered = next((known for known in KINDS[job.kind].stages if known.name == stage), None)
    if entered is None:
        raise UnknownStage(f"A job of the kind {job.kind} has no stage {stage!r}.")
    now = timezone.now()
    state = dump_state(with_stage_time(job, now))
    with transaction.atomic():
        update_held(job, state=state, stage=stage, stage_started_at=now, progress_at=now, done=0, total=total)
        write_line(job, _describe_stage(entered, total))


def _describe_stage(stage: Stage, total: int) -> str:
    return f"{stage.title}: {total:,} {stage.unit}." if stage.unit and total > 1 else f"{stage.title}."


def report(job: Job, **values: Any) -> None:
    """Write progress within a stage: any of done, total, curve, and kept if it only grows."""
    if values.get("done", job.done) != job.done:
        values["progress_at"] = timezone.now()
    update_held(job, **values)


def update_state(job: Job, **values: Any) -> None:
    """Change the job's state, as the holder of its lease."""
    update_held(job, state=dump_state(read_state(job), **values))


def note_cold(job: Job, *, cold: bool) -> None:
    """Note whether the worker's process has yet to load what the job's kind needs, if that changes a stage's time."""
    if any("cold" in stage.depends_on for stage in KINDS[job.kind].stages) and read_state(job).cold != cold:
        update_state(job, cold=cold)
