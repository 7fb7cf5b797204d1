"""Where a waiting job stands: what is before it, in the order in which workers will really take them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from classifier.jobs.fairness import foretell_order
from classifier.jobs.kinds import kinds_sharing_workers
from classifier.jobs.progress import Forecast
from classifier.jobs.stage_times import StageTimes
from classifier.models import Job

SHOWN = 20  # jobs ahead that are looked at more closely


@dataclass(frozen=True)
class Place:
    """A place in a queue: `position` 1 is next. `ahead` are the jobs that run, and then those that wait before it.

    `seconds` is when its turn will come, as far as the jobs ahead can be foretold; None where they cannot.
    """

    position: int
    running: list[Job] = field(default_factory=list)
    waiting: list[Job] = field(default_factory=list)
    seconds: float | None = None

    @property
    def ahead(self) -> list[Job]:
        return [*self.running, *self.waiting]


def waits_for_worker(job: Job) -> bool:
    """Return whether nothing but a free worker is missing."""
    return job.is_open and not job.lease and not job.waits_for and not _has_open_parts(job)


def _has_open_parts(job: Job) -> bool:
    return job.status == Job.Status.RUNNING and job.children.filter(status__in=Job.OPEN).exists()


def find_place(job: Job) -> Place | None:
    """Return the place of a job that waits for a worker; None for any other."""
    if not waits_for_worker(job):
        return None
    kinds = kinds_sharing_workers(job.kind)
    before = _until(foretell_order(kinds), job.pk)
    running = _wholes(Job.objects.filter(kind__in=kinds, status=Job.Status.RUNNING).exclude(lease=""), job)
    waiting = [one for one in _in_order(before, job) if one not in running]
    return Place(len(waiting) + 1, running, waiting, _seconds_until_turn(running, waiting))


def list_positions(jobs: Iterable[Job]) -> dict[int, int]:
    """Return the positions of those of the jobs that wait for a worker and have not begun, by id."""
    positions: dict[int, int] = {}
    groups = {tuple(kinds_sharing_workers(job.kind)) for job in jobs if job.status == Job.Status.QUEUED}
    for kinds in groups:
        order = foretell_order(list(kinds))
        wholes = dict(Job.objects.filter(pk__in=order[: SHOWN * SHOWN], parent=None).values_list("pk", "background"))
        positions |= {pk: place for place, pk in enumerate((pk for pk in order if pk in wholes), 1)}
    return positions


def _until(order: list[int], pk: int) -> list[int]:
    return order[: order.index(pk)] if pk in order else order


def _wholes(jobs: Iterable[Job], job: Job) -> list[Job]:
    """Return the jobs, or those that they are parts of, each once and without the one that asks."""
    pks = {one.parent_id or one.pk: None for one in jobs}
    return [one for one in _fetch(list(pks)[:SHOWN]) if one.pk != job.pk]


def _in_order(pks: list[int], job: Job) -> list[Job]:
    rows = {one.pk: one for one in Job.objects.filter(pk__in=pks[: SHOWN * SHOWN]).only("pk", "parent_id")}
    return _wholes([rows[pk] for pk in pks if pk in rows], job)


def _fetch(pks: list[int]) -> list[Job]:
    rows = Job.objects.select_related("project").defer("curve", "result").in_bulk(pks)
    return [rows[pk] for pk in pks if pk in rows]


def _seconds_until_turn(running: list[Job], waiting: list[Job]) -> float | None:
    """Return the seconds until a worker is free: the first that ends, then what waits, shared by as many workers."""
    times = StageTimes({job.kind for job in [*running, *waiting]})
    left = [Forecast(job, times).seconds_left() for job in running]
    if not running or None in left:
        return None
    before = sum(Forecast(job, times).seconds_in_all() for job in waiting)
    return min(seconds for seconds in left if seconds is not None) + before / len(running)
