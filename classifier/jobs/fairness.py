"""Who is next: no user and no project keeps the workers from the others for longer than a job takes."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from django.db.models import Max, Min
from django.db.models.functions import Now

from classifier.jobs.kinds import kinds_sharing_workers
from classifier.jobs.lifecycle import IS_DUE, WAITS_FOR_CHILDREN, claim_job
from classifier.models import Job

CANDIDATES = 5  # that a worker tries to take before it looks again
ROUNDS = 20  # after which it takes the one it was told of, or none
PATIENCE = timedelta(seconds=5)  # with which a job waits for another that could be interrupted
REMEMBERED = timedelta(hours=1)  # how long it counts who had the last turn
MOST_FORETOLD = 1000  # waiting jobs whose order is told beforehand


class Waiting(NamedTuple):
    """The oldest waiting job of a user in a project, of those somebody waits for or of those in the background."""

    background: bool
    user: int | None
    project: int | None
    job: int


def claim_fairly(pk: int, *, worker: str = "") -> Job | None:
    """Take the lease of a job that waits for the same workers as this one: of whom the fewest are running.

    There is a message for each waiting job, so each is taken at last; what is done in the background is taken when
    nothing else waits. Among those who have as many running it is the
    turn of who had none for the longest time; a single worker would otherwise go through one user's jobs first. The
    same holds for the projects of a user, and then the oldest job comes first.
    """
    kind = Job.objects.filter(pk=pk).values_list("kind", flat=True).first()
    if kind is None:
        return None
    for _ in range(ROUNDS):
        candidates = _list_fairly(kinds_sharing_workers(kind))[:CANDIDATES]
        for candidate in candidates:
            job = claim_job(candidate, message=pk, worker=worker)
            if job is not None:
                return job
        if not candidates:
            return None
        # Others were faster. Their messages may have been for the jobs that still wait, so this one must not be lost.
    return claim_job(pk, worker=worker)


def _list_fairly(kinds: list[str]) -> list[int]:
    """List the oldest waiting job of each user and project, those first whose turn it is."""
    due = Job.objects.filter(IS_DUE, ~WAITS_FOR_CHILDREN, kind__in=kinds, status__in=Job.OPEN, lease="")
    oldest = due.order_by().values_list("background", "created_by", "project").annotate(first=Min("pk"))
    waiting = [Waiting(*row) for row in oldest]
    if len(waiting) < 2:
        return [one.job for one in waiting]
    running, last = _count_running(kinds), _last_turns(kinds)

    def turn(one: Waiting) -> tuple[float, ...]:
        return _turn(Turn(one.background, one.user, one.project), one.job, running, last)

    return [one.job for one in sorted(waiting, key=turn)]


def others_wait(job: Job) -> bool:
    """Return whether another user, of whom nothing is running there, has waited for a worker of this kind of job."""
    kinds = kinds_sharing_workers(job.kind)
    seen = Job.objects.filter(kind__in=kinds, background=False)
    running = seen.filter(status=Job.Status.RUNNING).exclude(lease="")
    waiting = seen.filter(IS_DUE, ~WAITS_FOR_CHILDREN, status__in=Job.OPEN, lease="", created_at__lt=Now() - PATIENCE)
    busy = {job.created_by_id, *running.values_list("created_by", flat=True)}
    return not busy.issuperset(waiting.values_list("created_by", flat=True))


def foretell_order(kinds: list[str]) -> list[int]:
    """List the waiting jobs in the order in which workers will take them, if no other job comes.

    Each turn is chosen as `_list_fairly` does it; the workers are taken to be as many as have a job now, and the one
    that began first to be free first.
    """
    due = Job.objects.filter(IS_DUE, ~WAITS_FOR_CHILDREN, kind__in=kinds, status__in=Job.OPEN, lease="")
    groups: dict[Turn, deque[int]] = {}
    rows = due.order_by("pk").values_list("background", "created_by", "project", "pk")[:MOST_FORETOLD]
    for background, user, project, pk in rows:
        groups.setdefault(Turn(background, user, project), deque()).append(pk)
    held = Job.objects.filter(kind__in=kinds, status=Job.Status.RUNNING).exclude(lease="").order_by("started_at")
    running = deque(Turn(*group) for group in held.values_list("background", "created_by", "project"))
    workers, last, order = max(len(running), 1), _last_turns(kinds), []
    clock = max(last.values(), default=0.0)
    while groups:
        if len(running) >= workers:
            running.popleft()
        chosen = _choose(groups, _count(running), last)
        order.append(groups[chosen].popleft())
        if not groups[chosen]:
            del groups[chosen]
        running.append(chosen)
        clock += 1
        last |= dict.fromkeys((("user", chosen.user), ("project", chosen.project)), clock)
    return order


def _choose(
    groups: Mapping["Turn", deque[int]],
    running: Counter[tuple[str, int | None]],
    last: dict[tuple[str, int | None], float],
) -> "Turn":
    return min(groups, key=lambda group: _turn(group, groups[group][0], running, last))


class Turn(NamedTuple):
    """Whose turn it is."""

    background: bool
    user: int | None
    project: int | None


def _turn(
    group: Turn, job: int, running: Counter[tuple[str, int | None]], last: dict[tuple[str, int | None], float]
) -> tuple[float, ...]:
    """Return what the order goes by: the least is next."""
    user, project = ("user", group.user), ("project", group.project)
    return group.background, running[user], last.get(user, 0), running[project], last.get(project, 0), job


def _count(running: Iterable[Turn]) -> Counter[tuple[str, int | None]]:
    found: Counter[tuple[str, int | None]] = Counter()
    for group in running:
        found.update([("user", group.user), ("project", group.project)])
    return found


def _count_running(kinds: list[str]) -> Counter[tuple[str, int | None]]:
    """Return how many jobs of these kinds run for each user and each project."""
    running = Job.objects.filter(kind__in=kinds, status=Job.Status.RUNNING).exclude(lease="")
    return _count(Turn(*group) for group in running.values_list("background", "created_by", "project"))


def _last_turns(kinds: list[str]) -> dict[tuple[str, int | None], float]:
    """Return when the last job of each user and each project was begun, of those that began not long ago."""
    begun = Job.objects.filter(kind__in=kinds, started_at__gt=Now() - REMEMBERED).order_by()
    found: dict[tuple[str, int | None], float] = {}
    for user, project, when in begun.values_list("created_by", "project").annotate(last=Max("started_at")):
        for who in (("user", user), ("project", project)):
            found[who] = max(found.get(who, 0), when.timestamp())
    return found
