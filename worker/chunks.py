"""Cut work into parts for any number of workers."""

from collections.abc import Iterator
from typing import TypeVar

from django.conf import settings

Item = TypeVar("Item")
CHUNKS_LEFT = 2 * settings.EMBED_WORKERS


def cut_chunks(items: list[Item], *, least: int, most: int, after: int = 0) -> Iterator[list[Item]]:
    """Yield the items in order, in chunks that shrink towards the end (guided self-scheduling, Polychronopoulos 1987).

    So all workers end at about the same time. `after` is how many items follow in other lists: only the last list ends
    in small chunks.
    """
    start = 0
    while start < len(items):
        size = max(least, min(most, (len(items) - start + after) // CHUNKS_LEFT))
        yield items[start : start + size]
        start += size
