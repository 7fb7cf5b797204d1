"""Count what must not come too often: in the cache that all processes share, or in this one's while that is away."""

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from redis.exceptions import RedisError

Found = TypeVar("Found")
_own = LocMemCache("counting", {"OPTIONS": {"MAX_ENTRIES": 100_000}})  # of this process


def in_cache(act: Callable[[BaseCache], Found]) -> Found:
    """Act on the cache that all processes share or, where it does not answer, on that of this one."""
    try:
        return act(cache)
    except RedisError:
        return act(_own)


def count(counts: BaseCache, key: str, *, seconds: int, by: int = 1) -> int:
    """Count so many under a key, and return how many there are since it was first used, at most so many seconds ago."""
    counts.add(key, 0, seconds)
    try:
        return counts.incr(key, by)
    except ValueError:  # it was forgotten just now
        return by
