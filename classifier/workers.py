"""Which workers are alive, and what they listen to. Kept in the cache: it is a sign of life, not a truth."""

import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.core.cache import cache
from redis.exceptions import RedisError

ALIVE_SECONDS = 10  # a worker tells every 2 s
INDEX, REAPER = "workers", "reaper"
REAPER_KEPT = 24 * 3600


@dataclass(frozen=True)
class Worker:
    """What a worker tells of itself. `memory` is of all its processes in bytes, 0 where the system does not tell it."""

    name: str
    queues: list[str]
    version: str = ""
    memory: int = 0
    processes: int = 0
    program: str = ""  # the version of PoetsWeb, and the last migration that it knows
    settings: dict[str, str] = field(default_factory=dict)  # digests, see `poetsweb.shared_settings`


def record_worker(name: str, queues: list[str], **facts: Any) -> None:
    """Record that a worker is alive, from its main process: one key per worker, and an index of names."""
    cache.set(f"worker:{name}", asdict(Worker(name, queues, **facts)), ALIVE_SECONDS)
    names = set(cache.get(INDEX) or [])
    if name not in names:
        cache.set(INDEX, sorted({*names, name}), None)


def describe_workers() -> list[Worker]:
    """Return every worker heard of in the last seconds; none if the cache does not answer."""
    try:
        names = cache.get(INDEX) or []
        found: dict[str, Any] = cache.get_many([f"worker:{name}" for name in names])
    except RedisError:
        return []
    return sorted((_read(told) for told in found.values() if isinstance(told, dict)), key=lambda one: one.name)


def _read(told: dict[str, Any]) -> Worker:
    """Return what a worker has told. One of a newer version may tell more than is known here."""
    known = {one.name for one in fields(Worker)}
    return Worker(**{name: value for name, value in told.items() if name in known})


def list_workers() -> dict[str, list[str]]:
    """Return the queues by name of every worker heard of in the last seconds; none if the cache does not answer."""
    return {worker.name: worker.queues for worker in describe_workers()}


def missing_queues(needed: tuple[str, ...]) -> list[str]:
    """List those of the needed queues that no living worker listens to."""
    served = {queue for queues in list_workers().values() for queue in queues}
    return [queue for queue in needed if queue not in served]


def record_reaper(troubles: list[str]) -> None:
    """Record that the reaper has made a round, and which of its duties could not be done."""
    cache.set(REAPER, {"at": time.time(), "troubles": troubles}, REAPER_KEPT)


def last_reaper_round() -> tuple[float, list[str]] | None:
    """Return how many seconds ago the reaper made its last round, and what went wrong; None if nothing is known."""
    try:
        told = cache.get(REAPER)
    except RedisError:
        return None
    return (max(time.time() - told["at"], 0.0), told["troubles"]) if told else None
