"""What the reaper does for jobs: it finds workers that have died, and sends again what the broker lost."""

import time
from collections import Counter
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from redis import Redis
from redis.exceptions import RedisError

from classifier.jobs.kinds import KINDS, SHARED_QUEUES
from classifier.jobs.lifecycle import IS_DUE, WAITS_FOR_CHILDREN, count_death
from classifier.jobs.sending import dispatch
from classifier.models import Job

log = structlog.get_logger(__name__)

LOST_AFTER = timedelta(seconds=15)  # a worker writes a heartbeat every 2 s while it holds a lease
CONFIRM_SECONDS = 5.0
LONG_WAIT = 1.0  # for the database, after which what was suspected is looked at anew
SEND_AGAIN_AFTER = timedelta(seconds=10)
SENT_AT_ONCE = 200
SILENT = "It stopped without a word, as it does when its machine is switched off or has no memory left."


class Reaper:
    """The reaper's view of the leases over time.

    A lease is dead if its heartbeat is old by the database's clock, and stays so while the reaper itself looks on for
    some seconds: after an outage of the database or a suspended laptop all heartbeats are old, and those of the living
    come back. Time in which the database took no writes does not count. The clock of the reaper's machine may show any
    time.
    """

    def __init__(self, confirm_seconds: float = CONFIRM_SECONDS) -> None:
        self._confirm_seconds = confirm_seconds
        self._suspected: dict[str, float] = {}  # lease -> when it was first seen to be old, by the monotonic clock

    def recover_jobs(self) -> None:
        """Free the leases of the dead, and send again what may be lost. Call it every few seconds."""
        self._free_dead_leases()
        send_lost_messages()

    def _free_dead_leases(self) -> None:
        begun = time.monotonic()
        suspected, self._suspected = self._suspected, {}
        with transaction.atomic():  # SQLite waits here for whoever writes
            now = time.monotonic()
            if now - begun > LONG_WAIT:
                suspected = {}  # the living could not write either
            stale = Job.objects.filter(status=Job.Status.RUNNING, heartbeat_at__lt=Now() - LOST_AFTER)
            for job in stale.exclude(lease=""):
                since = self._suspected[job.lease] = suspected.get(job.lease, now)
                if now - since >= self._confirm_seconds:
                    count_death(job, SILENT)


def send_lost_messages() -> None:
    """Send the messages of waiting jobs again, for the queues that have fewer messages than jobs wait for them.

    The queues are counted first: while no worker serves one, nothing in it is lost, and it must not grow. Queues that
    the same workers serve are counted together, as a message in one of them may let a job of the other go first.
    """
    waiting = Job.objects.filter(IS_DUE, ~WAITS_FOR_CHILDREN, status__in=Job.OPEN, lease="")
    overdue = waiting.filter(Q(dispatched_at=None) | Q(dispatched_at__lt=Now() - SEND_AGAIN_AFTER))
    if not overdue.exists():
        return
    counted = Counter(KINDS[kind].queue for kind in waiting.values_list("kind", flat=True))
    lacking = [
        queue
        for queues in SHARED_QUEUES
        for queue in queues
        if sum(map(count_messages, queues)) < sum(counted[each] for each in queues)
    ]
    kinds = [name for name, kind in KINDS.items() if kind.queue in lacking]
    lost = list(overdue.filter(kind__in=kinds).order_by("pk")[:SENT_AT_ONCE])
    if lost:
        dispatch(lost)


def count_messages(queue: str) -> int:
    """Return how many messages are in a queue; 0 if the broker does not answer."""
    try:
        with Redis.from_url(settings.CACHE_URL, socket_timeout=5, socket_connect_timeout=2) as client:
            return int(client.llen(queue))
    except RedisError:
        return 0
