"""Fetch the pictures that tables give at addresses of the web, from the public internet only, within limits.

A picture that cannot be had is refused by name, as one that cannot be read; the others go on.
"""

import time
import urllib.error
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http.client import HTTPException
from itertools import islice
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings

from ml.datasets.archives import ArchiveEntry, ArchiveWalk
from ml.datasets.entries import ClassifiedMember, read_member, too_large
from ml.datasets.names import EntryRefused, displayable
from ml.datasets.plan import Verdict
from ml.errors import ImportRefused
from ml.model_import.fetching import host_of, open_guarded

AT_ONCE = 8  # pictures
SECONDS = 60.0  # for one of them
TRIES, PAUSE = 2, 1.0  # a second one after a pause, where another answer may come
CHUNK = 2**16
_AS_IT_IS = "%/:=&?~#+!$,;'@()*[]"  # of an address: it may have been quoted already


def walk_with_web(walk: ArchiveWalk, web: Mapping[str, Verdict], *, done: int = 0) -> ArchiveWalk:
    """Walk the files and then the pictures on the web, without the first `done` of them."""
    return ArchiveWalk(walk.total + len(web), _entries(walk, list(web.items()), done), plan=walk.plan)


def _entries(walk: ArchiveWalk, web: Sequence[tuple[str, Verdict]], done: int) -> Iterator[ArchiveEntry]:
    passed = 0
    for entry in walk:
        passed += 1
        if passed > done:
            yield entry
    yield from _fetch_ahead(iter(web[max(0, done - passed) :]))


def _fetch_ahead(web: Iterator[tuple[str, Verdict]]) -> Iterator[ArchiveEntry]:
    """Yield the entries in order, fetching a few at a time."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
        waiting: deque[Future[ArchiveEntry]] = deque(pool.submit(_entry, *one) for one in islice(web, AT_ONCE))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(_entry, *one) for one in islice(web, 1))
        finally:
            for future in waiting:
                future.cancel()


def _entry(address: str, verdict: Verdict) -> ArchiveEntry:
    name = displayable(address, settings.ARCHIVE_LIMITS.max_name_length)
    member = ClassifiedMember(name, verdict.class_name, verdict.reason, verdict.split, verdict.group)
    return read_member(member, partial(fetch_picture, address))


def fetch_picture(address: str) -> bytes:
    """Return what an address answers with. Raise `EntryRefused` if that is nothing that can be used."""
    for attempt in range(1, TRIES + 1):
        try:
            return _fetch(quote(address, safe=_AS_IT_IS))
        except ImportRefused as error:
            raise EntryRefused(str(error)) from None
        except urllib.error.HTTPError as error:
            reason, passes = f"{host_of(address)} answered with status {error.code}.", error.code >= 500
        except (OSError, HTTPException, ValueError) as error:
            reason, passes = f"{_host(address)} does not give it ({getattr(error, 'reason', error)}).", True
        if not passes or attempt == TRIES:
            raise EntryRefused(reason[:300])
        time.sleep(PAUSE)
    raise AssertionError


def _host(address: str) -> str:
    try:
        return host_of(address)
    except ValueError:
        return "The address"


def _fetch(address: str) -> bytes:
    if "@" in urlsplit(address).netloc:
        raise EntryRefused("An address that contains a user name or password cannot be used.")
    until, limits = time.monotonic() + SECONDS, settings.ARCHIVE_LIMITS
    with open_guarded(address, allow_private=settings.ML.fetch_private_addresses) as response:
        data = _read(response, limits.max_file_bytes, until)
    if len(data) > limits.max_file_bytes:
        raise EntryRefused(too_large(limits))
    return data


def _read(response: Any, most: int, until: float) -> bytes:
    data = bytearray()
    while len(data) <= most and (part := response.read1(min(CHUNK, most + 1 - len(data)))):
        data += part
        if time.monotonic() > until:
            raise EntryRefused(f"It did not arrive within {SECONDS:.0f} seconds.")
    return bytes(data)
