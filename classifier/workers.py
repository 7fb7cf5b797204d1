"""Which workers are alive, and what they listen to. Kept in the cache: it is a sign of life, not a truth."""

from django.core.cache import cache
from redis.exceptions import RedisError

ALIVE_SECONDS = 10  # a worker tells every 2 s
INDEX = "workers"


def record_worker(name: str, queues: list[str]) -> None:
    """Record that a worker is alive, from its main process: one key per worker, and an index of names."""
    cache.set(f"worker:{name}", queues, ALIVE_SECONDS)
    names = set(cache.get(INDEX) or [])
    if name not in names:
        cache.set(INDEX, sorted({*names, name}), None)


def list_workers() -> dict[str, list[str]]:
    """Return the queues by name of every worker heard of in the last seconds; none if the cache does not answer."""
    try:
        names = cache.get(INDEX) or []
        found: dict[str, list[str]] = cache.get_many([f"worker:{name}" for name in names])
    except RedisError:
        return {}
    return {key.removeprefix("worker:"): queues for key, queues in found.items()}


def missing_queues(needed: tuple[str, ...]) -> list[str]:
    """List those of the needed queues that no living worker listens to."""
    served = {queue for queues in list_workers().values() for queue in queues}
    return [queue for queue in needed if queue not in served]
