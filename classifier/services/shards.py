"""embeddings -> files: where a database has too many, their vectors move into shards in the file storage.

The row of an embedding stays, a fiftieth of its size, and says in which shard its vector is: so what is there and what
is missing is asked as before, and a picture's embeddings go with the picture. See docs/decisions/0025-shards.md.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np
import structlog
from django.conf import settings
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from classifier.models import Embedding, EmbeddingShard
from classifier.models.embedding_shard import shard_path
from classifier.models.image import image_path
from classifier.prepared import any_of
from classifier.services.images import read_file
from classifier.storage import store_once
from ml.engines.shards import Floats, pack_shard, read_shard
from ml.errors import Conflict

log = structlog.get_logger(__name__)

PICTURES = 4096  # of a shard: 21 MB with the default backbone
AT_ONCE = 1000  # rows that are read from the database
EVERY_SECONDS, ROUND_SECONDS = 600, 2.0
KEPT_EMPTY = timedelta(days=1)  # for whoever has read the rows that led there, such as a backup
_LOOKED = "shards-looked-at"


class ShardLost(Conflict):
    """The file of a shard is missing or damaged."""

    def __init__(self) -> None:
        super().__init__(
            "Some of what was computed of the pictures has been lost. Train again: it is computed anew then."
        )


def read_vectors(parts: Iterable["QuerySet[Embedding]"], *names: str) -> Iterator[tuple[Any, ...]]:
    """Yield the values of these fields of each embedding, and its vector (F,), wherever that is; in no order.

    Each shard is opened once for all the parts. Raise ShardLost, after which what was in it counts as missing if its
    pictures are there.
    """
    sharded: dict[tuple[str, str], dict[str, tuple[Any, ...]]] = defaultdict(dict)
    for rows in parts:
        found = rows.values_list("shard__sha256", "key", "image__sha256", "vector", *names)
        for shard, key, sha256, vector, *values in found.iterator(chunk_size=AT_ONCE):
            if shard is None:
                yield (*values, np.frombuffer(vector, "<f4"))
            else:
                sharded[shard, key][sha256] = tuple(values)
    for (shard, key), wanted in sharded.items():
        vectors = _read(shard, key, wanted)
        for sha256, values in wanted.items():
            yield (*values, vectors[sha256])


def _read(shard: str, key: str, sha256s: Iterable[str]) -> dict[str, Floats]:
    try:
        with default_storage.open(shard_path(shard)) as file:
            found = read_shard(file, key, sha256s)
        if found.keys() != set(sha256s):
            raise ValueError("A shard lacks pictures.")
        return found
    except (FileNotFoundError, ValueError) as error:
        _forget(shard, sha256s, error)
        raise ShardLost from None


def _forget(shard: str, sha256s: Iterable[str], error: Exception) -> None:
    """Let what was in a shard count as missing, if its pictures are there; else it is the whole storage that is not."""
    log.warning("shard_lost", shard=shard, error=str(error))
    if any(default_storage.exists(image_path(sha256)) for sha256 in islice(sha256s, 1)):
        EmbeddingShard.objects.filter(sha256=shard).delete()


def tend_shards() -> None:
    """Move vectors out of a database that has too many, and rewrite shards some of whose pictures were deleted.

    For some seconds in each round of the reaper while there is something to do, otherwise every ten minutes.
    """
    if not cache.add(_LOOKED, 1, EVERY_SECONDS):
        return
    until = time.monotonic() + ROUND_SECONDS
    for _ in _steps():
        if time.monotonic() > until:
            cache.delete(_LOOKED)
            return


def _steps() -> Iterator[None]:
    excess = Embedding.objects.filter(shard=None).count() - settings.EMBEDDINGS_IN_DATABASE
    if excess > 0:
        for key in _largest_keys():
            while excess > 0 and (moved := _fill_shard(key)):
                excess -= moved
                yield
    shards = EmbeddingShard.objects.annotate(left=Count("embeddings"))
    for shard in shards.filter(left__gt=0, left__lt=F("count")):
        _rewrite(shard)
        yield
    now = timezone.now()
    empty = Q(left=0)
    EmbeddingShard.objects.filter(pk__in=shards.filter(empty, emptied_at=None).values("pk")).update(emptied_at=now)
    for shard in shards.filter(empty, emptied_at__lt=now - KEPT_EMPTY):
        shard.delete()
        default_storage.delete(shard.path)
        yield


def _largest_keys() -> list[str]:
    """List the keys with at least one shard full of embeddings in the database, those with the most first."""
    kept = Embedding.objects.filter(shard=None).values("key").annotate(n=Count("pk"))
    return list(kept.filter(n__gte=PICTURES).order_by("-n").values_list("key", flat=True))


def _fill_shard(key: str) -> int:
    """Move the vectors of the oldest pictures into a shard, and return how many; pictures of a project lie together."""
    kept = Embedding.objects.filter(key=key, shard=None).order_by("image")[:PICTURES]
    rows = list(kept.values_list("pk", "image__sha256", "vector"))
    if len(rows) < PICTURES:
        return 0
    vectors = {sha256: np.frombuffer(vector, "<f4") for _, sha256, vector in rows}
    _store(key, vectors, Embedding.objects.filter(pk__in=any_of([pk for pk, _, _ in rows]), shard=None))
    return len(rows)


def _rewrite(shard: EmbeddingShard) -> None:
    """Write a shard without the pictures that were deleted. The old one is empty then."""
    left = list(shard.embeddings.values_list("image__sha256", flat=True))
    try:
        data = read_file(shard.path)
        if hashlib.sha256(data).hexdigest() != shard.sha256:  # a new file would hide the damage
            raise ValueError("The content is not what its name says.")
        vectors = read_shard(BytesIO(data), shard.key, left)
    except (FileNotFoundError, ValueError) as error:
        _forget(shard.sha256, left, error)
        return
    if vectors:
        _store(shard.key, vectors, shard.embeddings.all())


def _store(key: str, vectors: dict[str, Floats], rows: "QuerySet[Embedding]") -> None:
    """Keep the vectors in a new shard, and let these rows tell of it."""
    data = pack_shard(key, vectors)
    sha256 = hashlib.sha256(data).hexdigest()
    store_once(shard_path(sha256), data)
    with transaction.atomic():
        told = {"key": key, "count": len(vectors), "size": len(data), "emptied_at": None}
        shard, _ = EmbeddingShard.objects.update_or_create(sha256=sha256, defaults=told)
        rows.update(shard=shard, vector=b"")
    log.info("shard_stored", key=key, pictures=len(vectors), bytes=len(data))
