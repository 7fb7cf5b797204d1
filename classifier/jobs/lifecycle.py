"""The life of a job: the only module that writes a job's status or lease.

Every change is one conditional UPDATE whose row count is checked, so that a click, a worker, its successor
and the reaper may all act at once and exactly one of them wins.

    queue_job -> claim_job -> update_held / park_job -> finish_job | fail_job
                     ^------ free_lease (the worker stops, or died), postpone_job (what it needs is away),
                             ask (a person), until answer_job
    cancel_job, at any time before the end

Jobs are created in `classifier.jobs.sending`; what their workers write meanwhile is in `classifier.jobs.reporting`.
Whether a worker has died is found out in `classifier.jobs.recovery`. All times that decide anything are the database's.
"""

import traceback
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, When
from django.db.models.functions import Now
from django.utils import timezone
from pydantic import BaseModel

from classifier.jobs.kinds import KINDS
from classifier.jobs.log import ERROR, WARNING, write_line
from classifier.jobs.results import NoResult
from classifier.jobs.sending import dispatch
from classifier.jobs.stage_times import keep_times, with_stage_time
from classifier.jobs.state import dump_state, read_state, update_ended_state
from classifier.models import Job, Sample
from classifier.outages import ANSWER, describe_wait
from ml.errors import Conflict

log = structlog.get_logger(__name__)

MAX_WORKER_DEATHS = 3
FORGET_PAUSES_AFTER = timedelta(minutes=5)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)  # is a job due that waits for a person
PAUSES = (5, 10, 20, 40, 60)  # seconds until what is away is tried again, while it stays away
WAITS_FOR_CHILDREN = Exists(Job.objects.filter(parent=OuterRef("pk"), status__in=Job.OPEN))
IS_FOR_PEOPLE = Case(When(parent=None, background=False, created_by__isnull=False, then=True), default=False)
IS_DUE = Q(not_before=None) | Q(not_before__lte=Now())


class AlreadyAnswered(Conflict):
    """The job does not wait for an answer, or not any more."""

    def __init__(self) -> None:
        super().__init__("This has been answered already, or the job has ended.")


class LeaseLost(Exception):
    """The job was cancelled, or another worker has it: stop, and write nothing more."""


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


def update_held(job: Job, **values: Any) -> None:
    """Write values as the holder of the lease, with a heartbeat. Raise LeaseLost if the job is no longer ours."""
    if _held(job).update(heartbeat_at=Now(), **values) != 1:
        raise LeaseLost(f"job {job.pk}")
    for name, value in values.items():
        setattr(job, name, value)


def beat(job: Job) -> None:
    """Write a heartbeat. Raise LeaseLost if the job is no longer ours."""
    update_held(job)


def park_job(job: Job) -> None:
    """Give the lease back while children work; the last child sends the job on."""
    update_held(job, lease="")


def free_lease(job: Job) -> bool:
    """Give the lease back where the worker stops before the work has ended, so that another goes on."""
    freed = _free(job)
    if freed:
        write_line(job, "The worker was asked to stop; another one goes on.", WARNING)
    return freed


def give_way(job: Job) -> None:
    """Give the lease back because others wait for the worker. Raise LeaseLost, as it is no longer ours in any case."""
    if _free(job):
        write_line(job, "Others are waiting for the worker, so it goes on when it is its turn again.")
    raise LeaseLost(f"job {job.pk}")


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
    whole = dump_state(read_state(job), **state)
    update_held(job, state=whole, lease="", waits_for=ANSWER, not_before=NEVER)
    write_line(job, describe_wait(ANSWER))


@transaction.atomic
def answer_job(job: Job, **state: Any) -> None:
    """Let a job go on that waits for a person, with the answer in its state. Raise AlreadyAnswered."""
    waiting = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, lease="", waits_for=ANSWER)
    changed = waiting.update(state=dump_state(read_state(job), **state), waits_for="", not_before=None)
    if changed != 1:
        raise AlreadyAnswered
    write_line(job, "Somebody has answered; it goes on.")
    dispatch([job])


def _count_tries(job: Job) -> int:
    """Return how many times it was put off one after the other, from the length of its last pause."""
    state = read_state(job)
    recent = job.not_before is not None and timezone.now() - job.not_before < FORGET_PAUSES_AFTER
    tries = state.pauses if recent else 0
    _held(job).update(state=dump_state(state, pauses=tries + 1))
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
    measured = with_stage_time(job, now)
    with transaction.atomic():
        _end(job, Job.Status.SUCCEEDED, result=dumped, finished_at=now, state=dump_state(measured, **state))
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
