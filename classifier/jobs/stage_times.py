"""How long the stages of jobs take on this site: measured when a job ends, kept, and found again for the next job.

What a stage's time depends on is data of its kind: see `Stage.depends_on`. A job collects its measurements in its state
and they are written when it succeeds, in the transaction that ends it; what waited for something or died in between
would spoil them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from classifier.jobs.kinds import KINDS
from classifier.jobs.stages import Stage
from classifier.jobs.state import JobState, read_state
from classifier.models import Job, StageTime

REMEMBERED = 2  # measurements in whose mean a new one has its full share: machines change, and warm up
LEAST_UNITS, LEAST_SECONDS = 4, 0.05  # of which a rate can be measured


def with_stage_time(job: Job, now: datetime) -> JobState:
    """Return the state of a job with what the stage has taken that ends now: seconds, and units done.

    Some stages tell their units only beforehand.
    """
    state = read_state(job)
    if job.stage and job.stage_started_at:
        seconds = max((now - job.stage_started_at).total_seconds(), 0.0)
        state.stage_times[job.stage] = [round(seconds, 3), float(job.done or job.total)]
    return state


def keep_times(job: Job, state: JobState) -> None:
    """Keep what the stages of a job took that has succeeded without a break."""
    if state.pauses or job.worker_deaths or job.background:
        return
    for stage in KINDS[job.kind].stages_of(job.config):
        if stage.name in state.stage_times:
            seconds, units = state.stage_times[stage.name]
            _keep(_keys(job, stage, state), seconds, _rate(stage, seconds, units))
        elif stage.name not in state.expected:  # nothing tells beforehand that it is left out: the mean does
            _keep(_keys(job, stage, state), 0.0, None)


def _keys(job: Job, stage: Stage, state: JobState) -> dict[str, Any]:
    return {
        **_name(job.kind, stage),
        "depends": describe(stage, job.config, state),
        "machine": "" if stage.in_parts else machine_of(job),
        "size": size_of(stage, state),
    }


def _name(kind: str, stage: Stage) -> dict[str, str]:
    return {"kind": "", "stage": stage.known_as} if stage.known_as else {"kind": kind, "stage": stage.name}


def _rate(stage: Stage, seconds: float, units: float) -> float | None:
    return units / seconds if stage.unit and units >= LEAST_UNITS and seconds >= LEAST_SECONDS else None


def _keep(keys: dict[str, Any], seconds: float, rate: float | None) -> None:
    row = StageTime.objects.filter(**keys).first()
    if row is None:
        StageTime.objects.get_or_create(**keys, defaults={"seconds": seconds, "rate": rate})
        return
    share = 1 / min(row.count + 1, REMEMBERED)
    row.seconds += share * (seconds - row.seconds)
    if rate is not None:
        row.rate = rate if row.rate is None else row.rate + share * (rate - row.rate)
    row.count += 1
    row.save(update_fields=["seconds", "rate", "count", "updated_at"])


def describe(stage: Stage, config: Mapping[str, Any], state: JobState) -> str:
    """Return the values of what the stage's time depends on, as one text; the first matters most."""
    values = {"cold": state.cold, **config}
    return " ".join(f"{name}={values.get(name) or ''}" for name in stage.depends_on)[:200]


def machine_of(job: Job) -> str:
    """Return the machine of the worker that has the job, or had it last."""
    return job.worker.rpartition("@")[2]


def size_of(stage: Stage, state: JobState) -> int:
    """Return the size class of a job whose stage takes longer with more pictures; each is twice the one before."""
    return state.pictures.bit_length() if stage.grows else 0


class StageTimes:
    """The kept times of some kinds of job. They are read once, when they are first needed."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._kinds = {*kinds, ""}
        self._rows: dict[tuple[str, str], list[StageTime]] | None = None

    def _rows_of(self, kind: str, stage: Stage) -> list[StageTime]:
        if self._rows is None:
            self._rows = {}
            for row in StageTime.objects.filter(kind__in=self._kinds):
                self._rows.setdefault((row.kind, row.stage), []).append(row)
        name = _name(kind, stage)
        return self._rows.get((name["kind"], name["stage"]), [])

    def find(
        self, job: Job, stage: Stage, state: JobState, *, exact: bool = False
    ) -> tuple[float, float | None] | None:
        """Return the usual seconds of a job's stage, and its units per second if it counts any; None if unknown.

        The measurement that is most like the job counts: in what the time depends on, then the machine, then the number
        of pictures, where time grows more slowly than that. A rate is never taken from another backbone, or with
        `exact` from anything else that differs.
        """
        wanted, size, machine = describe(stage, job.config, state).split(" "), size_of(stage, state), machine_of(job)

        def likeness(row: StageTime) -> tuple[int, bool, int, float]:
            same = sum(mine == theirs for mine, theirs in zip(wanted, row.depends.split(" "), strict=False))
            return same, row.machine in ("", machine), -abs(row.size - size), row.updated_at.timestamp()

        rows = self._rows_of(job.kind, stage)
        if stage.unit:
            parts = len(wanted) if exact else 1
            rows = [row for row in rows if row.depends.split(" ")[:parts] == wanted[:parts]]
        if not rows:
            return None
        row = max(rows, key=likeness)
        return row.seconds * 2 ** ((size - row.size) / 2 if row.size else 0), row.rate
