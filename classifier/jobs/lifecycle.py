"""The life of a job: the only module that writes a job's status or lease.

Every change is one conditional UPDATE whose row count is checked, so that a click, a worker, its successor
and the reaper may all act at once and exactly one of them wins.

    queue_job -> claim_job -> report / park_job -> finish_job | fail_job
                     ^------ free_lease (the worker stops, or died), postpone_job (what it needs is away),
                             ask (a person), until answer_job
    cancel_job, at any time before the end

Whether a worker has died is found out in `classifier.jobs.recovery`. All times that decide anything are the database's.
"""

import traceback
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, Exists, F, Max, OuterRef, Q, When
from django.db.models.functions import Now
from django.utils import timezone
from kombu.exceptions import OperationalError
from pydantic import BaseModel

from classifier.jobs.kinds import KINDS, JobKind, JobState, NoResult, UnknownStage
from classifier.jobs.log import ERROR, WARNING, write_line
from classifier.jobs.stage_times import keep_times, measure
from classifier.jobs.stages import Stage
from classifier.models import Job, Project, Sample, Sweep
from classifier.outages import ANSWER, describe_wait
from ml.errors import Conflict

log = structlog.get_logger(__name__)

MAX_WORKER_DEATHS = 3
MAX_OPEN_JOBS = 100  # of a user
FORGET_PAUSES_AFTER = timedelta(minutes=5)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)  # is a job due that waits for a person
PAUSES = (5, 10, 20, 40, 60)  # seconds until what is away is tried again, while it stays away
TASK = "worker.run_job"
SOON, CLOCKS_DIFFER = 60.0, 0.1  # seconds
WAITS_FOR_CHILDREN = Exists(Job.objects.filter(parent=OuterRef("pk"), status__in=Job.OPEN))
IS_FOR_PEOPLE = Case(When(parent=None, background=False, created_by__isnull=False, then=True), default=False)
IS_DUE = Q(not_before=None) | Q(not_before__lte=Now())


class TooManyJobs(Conflict):
    """The user has so many open jobs that another would only wait for them."""

    def __init__(self) -> None:
        super().__init__(f"You have {MAX_OPEN_JOBS} jobs open. Wait until some of them have ended, or cancel some.")


class AlreadyAnswered(Conflict):
    """The job does not wait for an answer, or not any more."""

    def __init__(self) -> None:
        super().__init__("This has been answered already, or the job has ended.")


class LeaseLost(Exception):
    """The job was cancelled, or another worker has it: stop, and write nothing more."""


@transaction.atomic
def queue_job(
    kind: JobKind,
    *,
    project: Project | None,
    by: User | None,
    config: dict[str, Any] | None = None,
    state: JobState | None = None,
    sweep: Sweep | None = None,
    not_before: datetime | None = None,
) -> Job:
    """Create a job, and send it to its queue when the transaction commits. Raise TooManyJobs."""
    if by is not None and not kind.background and _count_open(by) >= MAX_OPEN_JOBS:
        raise TooManyJobs
    job = Job(project=project, kind=kind.name, config=config or {}, created_by=by, background=kind.background)
    job.sweep = sweep
    job.state, job.not_before = _dump_state(state or JobState()), not_before
    if project is not None and not kind.background:
        job.number = _next_number(project)
    job.save()
    write_line(job, f"Queued by {by.get_username()}." if by else "Queued.")
    dispatch([job])
    return job


def _count_open(user: User) -> int:
    return Job.objects.filter(created_by=user, parent=None, background=False, status__in=Job.OPEN).count()


def _next_number(project: Project) -> int:
    """Return the number that people know the project's next job by. Call it in a transaction."""
    Project.objects.select_for_update().get(pk=project.pk)  # two jobs at once must not get the same
    last: int | None = Job.objects.filter(project=project).aggregate(last=Max("number"))["last"]
    return (last or 0) + 1


def queue_children(parent: Job, kind: JobKind, *, configs: Iterable[dict[str, Any]]) -> list[Job]:
    """Queue the parts of a parent's work, for any number of workers."""
    parts = [
        Job(
            project_id=parent.project_id,
            parent=parent,
            kind=kind.name,
            config=config,
            created_by_id=parent.created_by_id,
            background=parent.background,
        )
        for config in configs
    ]
    children = Job.objects.bulk_create(parts, batch_size=500)
    dispatch(children)
    return children


def dispatch(jobs: list[Job]) -> None:
    """Send the jobs' ids to their queues on commit. An absent broker loses nothing: recover_jobs sends again."""
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(dispatched_at=Now())
    transaction.on_commit(lambda: _send(jobs))


def _send(jobs: list[Job]) -> None:
    from poetsweb.celery import app  # by name and not by the task's module, which needs this one

    try:
        with app.producer_pool.acquire(block=True, timeout=5) as producer:
            for job in jobs:
                queue, countdown = KINDS[job.kind].queue, _seconds_until_due(job)
                app.send_task(TASK, [job.pk], queue=queue, producer=producer, retry=False, countdown=countdown)
    except (OperationalError, OSError) as error:
        log.warning("broker_unreachable", jobs=len(jobs), error=str(error))


def _seconds_until_due(job: Job) -> float | None:
    """Return when a worker is to look at a job that is due soon; what is due later, the reaper sends again."""
    left = (job.not_before - timezone.now()).total_seconds() if job.not_before else 0.0
    return left + CLOCKS_DIFFER if 0 < left < SOON else None


def put_off(job: Job, until: datetime) -> bool:
    """Let a job that nobody has taken yet begin later. Return False if somebody has, or it has ended."""
    if Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED, lease="").update(not_before=until) != 1:
        return False
    if job.not_before != until:
        job.not_before = until
        dispatch([job])
    return True


def claim_job(pk: int, *, message: int = 0, worker: str = "") -> Job | None:
    """Take the lease of an open job that nobody works on; None where somebody else was first.

    A job that waits for its children is not free: a message that comes twice must not make them twice. `message` is the
    job that the worker was told of, which may be another, see `claim_fairly`; `worker` is the name of who takes it.
    """
    lease = f"{message or pk}-{uuid.uuid4().hex}"
    free = Job.objects.filter(IS_DUE, ~WAITS_FOR_CHILDREN, pk=pk, status__in=Job.OPEN, lease="")
    taken = {"status": Job.Status.RUNNING, "lease": lease, "worker": worker[:100]}
    if free.update(**taken, heartbeat_at=Now(), waits_for="") != 1:
        return None
    first = Job.objects.filter(pk=pk, started_at=None).update(started_at=timezone.now(), attempts=1)
    job = Job.objects.select_related("project", "created_by").get(pk=pk)
    if not job.parent_id and (first or not job.children.exists()):  # otherwise it goes on after its parts
        again = f", attempt {job.attempts}" if job.attempts > 1 else ""
        write_line(job, f"Taken by the worker {job.worker or 'without a name'}{again}.")
    return job


def _held(job: Job) -> Any:
    return Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, lease=job.lease)


def _update_held(job: Job, **values: Any) -> None:
    if _held(job).update(heartbeat_at=Now(), **values) != 1:
        raise LeaseLost(f"job {job.pk}")
    for name, value in values.items():
        setattr(job, name, value)


def beat(job: Job) -> None:
    """Write a heartbeat. Raise LeaseLost if the job is no longer ours."""
    _update_held(job)


def enter_stage(job: Job, stage: str, *, total: int = 0) -> None:
    """Begin a stage of `total` units and measure its rate from now. Raise UnknownStage if the job's kind lacks it."""
    entered = next((known for known in KINDS[job.kind].stages if known.name == stage), None)
    if entered is None:
        raise UnknownStage(f"A job of the kind {job.kind} has no stage {stage!r}.")
    now = timezone.now()
    state = _dump_state(_with_measured(job, now))
    with transaction.atomic():
        _update_held(job, state=state, stage=stage, stage_started_at=now, progress_at=now, done=0, total=total)
        write_line(job, _describe_stage(entered, total))


def _describe_stage(stage: Stage, total: int) -> str:
    return f"{stage.title}: {total:,} {stage.unit}." if stage.unit and total > 1 else f"{stage.title}."


def note(job: Job, text: str, level: str = WARNING) -> None:
    """Write a line to the job's log that a worker has to say, in words for the user."""
    write_line(job, text, level)


def _with_measured(job: Job, now: datetime) -> JobState:
    """Return the job's state with what the stage has taken that ends now."""
    state = read_state(job)
    if job.stage and job.stage_started_at:
        state.stage_times[job.stage] = measure(job, (now - job.stage_started_at).total_seconds())
    return state


def report(job: Job, **values: Any) -> None:
    """Write progress within a stage: any of done, total, curve, and kept if it only grows. Raise LeaseLost."""
    if values.get("done", job.done) != job.done:
        values["progress_at"] = timezone.now()
    _update_held(job, **values)


def read_state(job: Job) -> JobState:
    """Return what the job knows of itself."""
    return JobState.model_validate(job.state)


def update_state(job: Job, **values: Any) -> None:
    """Change the job's state, as the holder of its lease. Raise LeaseLost."""
    _update_held(job, state=_dump_state(read_state(job), **values))


def note_cold(job: Job, *, cold: bool) -> None:
    """Note whether the worker's process has yet to load what the job's kind needs, if that changes a stage's time."""
    if any("cold" in stage.depends_on for stage in KINDS[job.kind].stages) and read_state(job).cold != cold:
        update_state(job, cold=cold)


def update_ended_state(job: Job, **values: Any) -> None:
    """Change the state of a job that has ended and that nobody else writes to."""
    Job.objects.filter(pk=job.pk).exclude(status__in=Job.OPEN).update(state=_dump_state(read_state(job), **values))


def _dump_state(state: JobState, **values: Any) -> dict[str, Any]:
    whole = JobState.model_validate({**state.model_dump(), **values})
    return whole.model_dump(exclude_defaults=True)


def park_job(job: Job) -> None:
    """Give the lease back while children work; the last child sends the job on."""
    _update_held(job, lease="")


def free_lease(job: Job) -> bool:
    """Give the lease back where the worker stops before the work has ended, so that another goes on."""
    freed = _free(job)
    if freed:
        write_line(job, "The worker was asked to stop; another one goes on.", WARNING)
    return freed


def postpone_job(job: Job, waits_for: str) -> None:
    """Give the lease back until what the job needs has had time to come back, a longer time with each try."""
    pause = timedelta(seconds=PAUSES[min(_count_tries(job), len(PAUSES) - 1)])
    later = {"not_before": Now() + pause, "attempts": F("attempts") + 1}
    if _held(job).update(lease="", waits_for=waits_for, **later) == 1:
        write_line(job, describe_wait(waits_for), WARNING)
        log.warning("job_postponed", job=job.pk, waits_for=waits_for, seconds=pause.total_seconds())
        # Of a part, people see the page of the whole.
        Job.objects.filter(children=job, status=Job.Status.RUNNING).update(waits_for=waits_for)


def ask(job: Job, **state: Any) -> None:
    """Give the lease back until a person has answered what the state holds, see `answer_job`. Raise LeaseLost."""
    update_state(job, **state)
    _update_held(job, lease="", waits_for=ANSWER, not_before=NEVER)
    write_line(job, describe_wait(ANSWER))


@transaction.atomic
def answer_job(job: Job, **state: Any) -> None:
    """Let a job go on that waits for a person, with the answer in its state. Raise AlreadyAnswered."""
    waiting = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, lease="", waits_for=ANSWER)
    changed = waiting.update(state=_dump_state(read_state(job), **state), waits_for="", not_before=None)
    if changed != 1:
        raise AlreadyAnswered
    write_line(job, "Somebody has answered; it goes on.")
    dispatch([job])


def _count_tries(job: Job) -> int:
    """Return how many times it was put off one after the other, from the length of its last pause."""
    state = read_state(job)
    recent = job.not_before is not None and timezone.now() - job.not_before < FORGET_PAUSES_AFTER
    tries = state.pauses if recent else 0
    _held(job).update(state=_dump_state(state, pauses=tries + 1))
    return tries


def count_death(job: Job, cause: str) -> None:
    """Free the lease of a dead worker, so that the job continues elsewhere; fail it where no worker gets any further.

    Args:
        cause: a sentence for the user on how the worker died.
    """
    deaths = 1 if job.kept > job.kept_at_death else job.worker_deaths + 1
    if deaths >= MAX_WORKER_DEATHS:
        sentence = f"The worker died {deaths} times at the same point of this job. {cause}"
        fail_job(job.pk, sentence=sentence, lease=job.lease)
    elif _free(job, worker_deaths=deaths, kept_at_death=job.kept):
        write_line(job, f"The worker died. {cause} Another one goes on.", WARNING)
        log.warning("worker_died", job=job.pk, worker_deaths=deaths, cause=cause)


def _free(job: Job, **values: Any) -> bool:
    if _held(job).update(lease="", attempts=F("attempts") + 1, **values) != 1:
        return False
    dispatch([job])
    return True


def finish_job(job: Job, result: BaseModel | None = None, **state: Any) -> None:
    """End a job as SUCCEEDED, with the result of its kind.

    Raise LeaseLost if it was cancelled first, so that a surrounding transaction undoes what it wrote.
    """
    found = KINDS[job.kind].result.model_validate((result or NoResult()).model_dump())
    dumped = found.model_dump(mode="json", exclude_none=True)
    now = timezone.now()
    measured = _with_measured(job, now)
    with transaction.atomic():
        _end(job, Job.Status.SUCCEEDED, result=dumped, finished_at=now, state=_dump_state(measured, **state))
        if not job.parent_id:
            if not dumped.get("unchanged") and not job.stop_asked_at:  # which would be no measure for others
                keep_times(job, measured)
            write_line(job, f"Done after {_describe_seconds(job, now)}.")
    if job.parent_id:
        _child_done(job, job.parent_id)


def _describe_seconds(job: Job, now: datetime) -> str:
    seconds = round((now - (job.started_at or now)).total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s"


def _end(job: Job, status: str, **values: Any) -> None:
    if _held(job).update(status=status, lease="", untold=IS_FOR_PEOPLE, **values) != 1:
        raise LeaseLost(f"job {job.pk}")
    job.status = status
    log.info("job_ended", job=job.pk, kind=job.kind, status=status)


def _child_done(child: Job, parent_id: int) -> None:
    """Count the child's work on its parent, and send the parent on when it was the last."""
    units = child.config.get("units", 0)
    parents = Job.objects.filter(pk=parent_id, status=Job.Status.RUNNING)
    grown = {"done": F("done") + units, "kept": F("kept") + units, "progress_at": timezone.now()}
    parents.update(**grown, heartbeat_at=Now(), waits_for="")
    if not Job.objects.filter(parent_id=parent_id, status__in=Job.OPEN).exists():
        dispatch(list(Job.objects.filter(pk=parent_id, status=Job.Status.RUNNING, lease="")))


def fail_job(
    pk: int,
    *,
    sentence: str,
    error: BaseException | None = None,
    lease: str | None = None,
    sample: Sample | None = None,
) -> bool:
    """End a job as FAILED, with its parent and siblings. Returns False if it had ended before.

    Args:
        sentence: for the user.
        lease: only while this lease holds.
        sample: the picture that is to blame, to which the job's page links.
    """
    detail = "".join(traceback.format_exception(error))[-8000:] if error else ""
    holders = Job.objects.filter(pk=pk, status__in=Job.OPEN)
    if lease is not None:
        holders = holders.filter(lease=lease)
    ended = {"lease": "", "finished_at": timezone.now(), "error": sentence, "error_detail": detail}
    if holders.update(status=Job.Status.FAILED, untold=IS_FOR_PEOPLE, **ended) != 1:
        return False
    log.error("job_failed", job=pk, sentence=sentence, error=repr(error))
    job = Job.objects.get(pk=pk)
    if sample is not None:
        update_ended_state(job, sample=sample.pk)
    if job.parent_id:
        fail_job(job.parent_id, sentence=sentence, error=error, sample=sample)
    else:
        write_line(job, sentence, ERROR)
    _cancel_children_of(pk)
    return True


def cancel_job(job: Job) -> bool:
    """End a job as CANCELLED at once; its worker finds out at its next report. Return False if it had ended before."""
    now = timezone.now()
    open_job = Job.objects.filter(pk=job.pk, status__in=Job.OPEN)
    if open_job.update(status=Job.Status.CANCELLED, lease="", finished_at=now, untold=IS_FOR_PEOPLE) != 1:
        return False
    _cancel_children_of(job.pk)
    if not job.parent_id:
        write_line(job, "Cancelled.")
    log.info("job_cancelled", job=job.pk)
    return True


def _cancel_children_of(pk: int) -> None:
    children = Job.objects.filter(parent_id=pk, status__in=Job.OPEN)
    children.update(status=Job.Status.CANCELLED, lease="", finished_at=timezone.now())
