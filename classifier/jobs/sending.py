"""Create jobs, and send their ids to the queues that workers take them from."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now
from django.utils import timezone
from kombu.exceptions import OperationalError

from classifier.jobs.kinds import KINDS, JobKind
from classifier.jobs.log import write_line
from classifier.jobs.state import JobState, dump_state
from classifier.models import Account, Job, Project, Sweep
from classifier.request_ids import current_request_id
from ml.errors import Conflict
from poetsweb.logs import TRAFFIC

log, traffic = structlog.get_logger(__name__), structlog.get_logger(TRAFFIC)

TASK = "worker.run_job"
SOON, CLOCKS_DIFFER = 60.0, 0.1  # seconds


class TooManyJobs(Conflict):
    """The user has so many open jobs that another would only wait for them."""

    def __init__(self, most: int) -> None:
        jobs = "a job" if most == 1 else f"{most:,} jobs"
        super().__init__(f"You have {jobs} open. Wait until some of them have ended, or cancel some.")


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
    if by is not None and not kind.background:
        _check_number_of(by)
    job = Job(project=project, kind=kind.name, config=config or {}, created_by=by, background=kind.background)
    job.sweep, job.request_id = sweep, current_request_id()
    job.state, job.not_before = dump_state(state or JobState()), not_before
    if project is not None and not kind.background:
        job.number = _next_number(project)
    job.save()
    traffic.info("job_queued", job=job.pk, kind=kind.name)
    write_line(job, f"Queued by {by.get_username()}." if by else "Queued.")
    dispatch([job])
    return job


def _check_number_of(user: User) -> None:
    """Check that the user may have another job. Raise TooManyJobs."""
    own = Account.objects.filter(user=user).values_list("quota_jobs", flat=True).first()
    most = settings.QUOTA_USER_JOBS if own is None else own
    open_jobs = Job.objects.filter(created_by=user, parent=None, background=False, status__in=Job.OPEN)
    if most and open_jobs.count() >= most:
        raise TooManyJobs(most)


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
            request_id=parent.request_id,
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
