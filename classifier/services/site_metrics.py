"""What database, cache and disk know of the site, for Prometheus; what its processes count is in `instruments`."""

import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import django
from django.db import DatabaseError
from django.db.models import Count
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis.exceptions import RedisError

from classifier.disk import free_bytes
from classifier.models import Alias, Job
from classifier.models.alias import LIVE
from classifier.services.embeddings import read_reuse
from classifier.services.maintenance import list_queues, list_spaces
from classifier.workers import describe_workers, last_reaper_round
from poetsweb.version import VERSION

SECONDS_KEPT = 15.0  # that an answer is given again: what is asked counts rows


def _build() -> Iterator[Metric]:
    found = GaugeMetricFamily("poetsweb_build_info", "The program; always 1.", labels=["version", "python", "django"])
    found.add_metric([VERSION, platform.python_version(), django.get_version()], 1)
    yield found


def _jobs() -> Iterator[Metric]:
    found = GaugeMetricFamily("poetsweb_jobs", "Jobs, with their parts, by kind and state.", labels=["kind", "state"])
    for row in Job.objects.order_by().values("kind", "status").annotate(count=Count("pk")):
        found.add_metric([row["kind"], row["status"].lower()], row["count"])
    yield found


def _queues() -> Iterator[Metric]:
    waiting = GaugeMetricFamily("poetsweb_queue_waiting_jobs", "Jobs that wait for a worker.", labels=["queue"])
    oldest = GaugeMetricFamily(
        "poetsweb_queue_oldest_seconds", "How long the oldest of them has waited; 0 if none does.", labels=["queue"]
    )
    served = GaugeMetricFamily("poetsweb_queue_workers", "Living workers that serve the queue.", labels=["queue"])
    workers = describe_workers()
    for queue in list_queues(workers):
        waiting.add_metric([queue.name], queue.waiting)
        oldest.add_metric([queue.name], queue.oldest_seconds or 0)
        served.add_metric([queue.name], sum(queue.name in worker.queues for worker in workers))
    yield from (waiting, oldest, served)


def _workers() -> Iterator[Metric]:
    workers = describe_workers()
    yield GaugeMetricFamily("poetsweb_workers", "Workers that were heard of in the last seconds.", len(workers))
    memory = sum(worker.memory for worker in workers)
    yield GaugeMetricFamily("poetsweb_workers_memory_bytes", "Memory of all their processes.", memory)
    told = last_reaper_round()
    if told is not None:
        yield GaugeMetricFamily("poetsweb_reaper_round_age_seconds", "Since the reaper's last round.", told[0])


def _embeddings() -> Iterator[Metric]:
    found = CounterMetricFamily(
        "poetsweb_embedding_cache",
        "Embeddings that a job needed, and whether they were there: hit or miss.",
        labels=["result"],
    )
    for result, count in read_reuse().items():
        found.add_metric([result], count)
    yield found


def _disk() -> Iterator[Metric]:
    yield GaugeMetricFamily("poetsweb_disk_free_bytes", "Free on the disk of the data folder.", free_bytes())
    used = GaugeMetricFamily("poetsweb_stored_bytes", "What takes room, where it is known cheaply.", labels=["kind"])
    for space in list_spaces():
        used.add_metric([space.kind], space.size)
    yield used


def _versions() -> Iterator[Metric]:
    count = Alias.objects.filter(name=LIVE, project__deleted_at=None).count()
    yield GaugeMetricFamily("poetsweb_live_versions", "Model versions that answer as a project's live one.", count)


PARTS: dict[str, Callable[[], Iterable[Metric]]] = {
    "build": _build,
    "jobs": _jobs,
    "queues": _queues,
    "workers": _workers,
    "embeddings": _embeddings,
    "disk": _disk,
    "versions": _versions,
}


class SiteCollector:
    """Collects all parts; one whose service is away is left out, and told of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[float, list[Metric]] = (0.0, [])

    def collect(self) -> list[Metric]:
        """Return the metrics, which may be some seconds old."""
        with self._lock:
            at, found = self._kept
            if not found or time.monotonic() - at > SECONDS_KEPT:
                found = list(_collect())
                self._kept = (time.monotonic(), found)
            return found


def _collect() -> Iterator[Metric]:
    collected = GaugeMetricFamily(
        "poetsweb_collected",
        "1 where the figures of a part could be had, 0 where its service is away.",
        labels=["part"],
    )
    for name, collect in PARTS.items():
        try:
            metrics = list(collect())
        except (DatabaseError, RedisError, OSError):
            metrics = []
        yield from metrics
        collected.add_metric([name], float(bool(metrics)))
    yield collected


site = SiteCollector()
