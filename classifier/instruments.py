"""What the processes of the site count and measure while they work, for Prometheus.

Names end in the unit, as is the custom there. Labels never hold what belongs to somebody: no project, no user, no
address. What the database and the cache know is not counted again, see `classifier.services.site_metrics`.
"""

import functools
import os

from prometheus_client import CollectorRegistry, Counter, Histogram, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

_here = CollectorRegistry()  # of this process alone
_pid = os.getpid()


def _note_pid() -> None:
    global _pid
    _pid = os.getpid()


if values.ValueClass._multiprocess:
    # The package asks for the number of the process each time it counts, a dozen times for an answer. Asking the
    # system costs more than the counting.
    os.register_at_fork(after_in_child=_note_pid)
    values.ValueClass = values.MultiProcessValue(lambda: _pid)  # type: ignore[no-untyped-call] # without types

_REQUESTS = Histogram(
    "poetsweb_request_seconds",
    "Time until a request was answered, without sending a body that is streamed.",
    ("view", "method", "status"),
    buckets=REQUEST_SECONDS,
    registry=_here,
)
_STAGES = Histogram(
    "poetsweb_classify_stage_seconds",
    "Time of a stage of classifying: decode, network, head, and wait, for a free inference server.",
    ("stage",),
    buckets=STAGE_SECONDS,
    registry=_here,
)
_PICTURES = Counter(
    "poetsweb_classified_pictures",
    "Pictures that were to be classified, by what came of it: a class, none_of_these, unreadable.",
    ("result",),
    registry=_here,
)
_ARTIFACTS = Counter(
    "poetsweb_artifact_cache",
    "Artifacts that an answer needed, and whether they were in memory: hit or miss.",
    ("result",),
    registry=_here,
)

# Finding the child of an instrument by its labels takes as long as counting; an answer needs eight.


@functools.cache
def request_seconds(view: str, method: str, status: str) -> Histogram:
    """Return what measures the requests of a view."""
    return _REQUESTS.labels(view, method, status)


@functools.cache
def stage_seconds(stage: str) -> Histogram:
    """Return what measures a stage of classifying."""
    return _STAGES.labels(stage)


@functools.cache
def classified_pictures(result: str) -> Counter:
    """Return what counts the pictures of which this has come."""
    return _PICTURES.labels(result)


@functools.cache
def artifact_cache(result: str) -> Counter:
    """Return what counts the artifacts that were in memory, "hit", or not, "miss"."""
    return _ARTIFACTS.labels(result)


def observe_stage(stage: str, seconds: float) -> None:
    """Count the time of a stage of classifying."""
    stage_seconds(stage).observe(seconds)


def _collect_files() -> Collector:
    collector: Collector = MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
    return collector


def counted_here() -> Collector:
    """Return what has been counted by all web processes of this machine's gunicorn, or by this process alone."""
    return _collect_files() if values.ValueClass._multiprocess else _here
