"""Fetch the pictures that tables give at addresses of the web, from the public internet only, within limits.

A picture that cannot be had is refused by name, as one that cannot be read; the others go on. Hosts that do not answer,
or let a worker wait on purpose, are given up, so that nobody's table keeps a worker from others for days.
"""

import threading
import time
import urllib.error
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
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
from ml.model_import.fetching import TIMEOUT, host_of, open_guarded

AT_ONCE = 8  # pictures
SECONDS = 60.0  # for one of them
MOST_SECONDS = 1800.0  # for all of an archive
MOST_FAILURES = 10  # of a host, one after the other, after which it is asked no more
LOOK_SECONDS = 0.5  # between two looks whether the pictures are still wanted
TRIES, PAUSE = 2, 1.0  # a second one after a pause, where another answer may come
CHUNK = 2**16
_AS_IT_IS = "%/:=&?~#+!$,;'@()*[]"  # of an address: it may have been quoted already


class _Patience:
    """Which hosts are still asked, and until when."""

    def __init__(self) -> None:
        self._until = time.monotonic() + MOST_SECONDS
        self._failures: Counter[str] = Counter()  # by host, since it last answered
        self._lock = threading.Lock()

    def check(self, host: str) -> None:
        """Raise `EntryRefused` if the host is asked no more."""
        if time.monotonic() > self._until:
            raise EntryRefused("Fetching took too long. Bring in the rest as a table of its own.")
        if self._failures[host] >= MOST_FAILURES:
            raise EntryRefused(f"{host} has not answered {MOST_FAILURES} times, and is asked no more.")

    def note(self, host: str, *, answered: bool) -> None:
        with self._lock:
            self._failures[host] = 0 if answered else self._failures[host] + 1


def walk_with_web(
    walk: ArchiveWalk, web: Mapping[str, Verdict], *, done: int = 0, alive: Callable[[], None] = lambda: None
) -> ArchiveWalk:
    """Walk the files and then the pictures on the web, without the first `done` of them.

    `alive` is called twice a second while one is waited for; what it raises ends the walk.
    """
    return ArchiveWalk(walk.total + len(web), _entries(walk, list(web.items()), done, alive), plan=walk.plan)


def _entries(
    walk: ArchiveWalk, web: Sequence[tuple[str, Verdict]], done: int, alive: Callable[[], None]
) -> Iterator[ArchiveEntry]:
    passed = 0
    for entry in walk:
        passed += 1
        if passed > done:
            yield entry
    if len(web) > max(0, done - passed):
        yield from _fetch_ahead(iter(web[max(0, done - passed) :]), alive)


def _fetch_ahead(web: Iterator[tuple[str, Verdict]], alive: Callable[[], None]) -> Iterator[ArchiveEntry]:
    """Yield the entries in order, fetching a few at a time."""
    patience, pool = _Patience(), ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch")
    try:
        waiting = deque(pool.submit(_entry, patience, *one) for one in islice(web, AT_ONCE))
        while waiting:
            yield _await(waiting.popleft(), alive)
            waiting.extend(pool.submit(_entry, patience, *one) for one in islice(web, 1))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a slow answer keeps nobody from cancelling


def _await(future: Future[ArchiveEntry], alive: Callable[[], None]) -> ArchiveEntry:
    while True:
        with suppress(TimeoutError):
            return future.result(LOOK_SECONDS)
        alive()


def _entry(patience: _Patience, address: str, verdict: Verdict) -> ArchiveEntry:
    name = displayable(address, settings.ARCHIVE_LIMITS.max_name_length)
    member = ClassifiedMember(name, verdict.class_name, verdict.reason, verdict.split, verdict.group)
    return read_member(member, partial(_fetch_patiently, patience, address))


def _fetch_patiently(patience: _Patience, address: str) -> bytes:
    host = _host(address)
    patience.check(host)
    begun = time.monotonic()
    try:
        return fetch_picture(address)
    finally:
        # What comes late counts as what does not come.
        patience.note(host, answered=time.monotonic() - begun < TIMEOUT)


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
