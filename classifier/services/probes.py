"""Whether what the site lives on answers: database, migrations, broker and file storage. Nothing here may hang."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog
from django.conf import settings
from django.db import connection
from redis import Redis

from classifier.schema import compare_migrations
from classifier.storage import check_storage

log = structlog.get_logger(__name__)

WAIT_SECONDS = 8.0  # for all of them together; what has not answered by then counts as away
FRESH_SECONDS = 1.0  # in which an answer is given again: whoever asks often must not keep the services busy
OK, AWAY = "ok", "does not answer"


def _ask_database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return OK
    finally:
        connection.close()  # the thread's own


def _ask_migrations() -> str:
    try:
        missing, newer = compare_migrations()
    finally:
        connection.close()
    if missing:
        return f"some are missing ({len(missing)}): run “manage.py prepare”"
    # While a site is upgraded, the processes that still run the old program go on answering.
    return "ok, and the database is of a newer version of the program" if newer else OK


def _ask_broker() -> str:
    with Redis.from_url(settings.CACHE_URL, socket_timeout=5, socket_connect_timeout=2) as client:
        client.ping()
    return OK


def _ask_storage() -> str:
    check_storage()
    return OK


PARTS: dict[str, Callable[[], str]] = {
    "database": _ask_database,
    "migrations": _ask_migrations,
    "broker": _ask_broker,
    "storage": _ask_storage,
}


class Prober:
    """Asks all parts at once, each in a thread. One that hangs is asked once, however often people want to know."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None  # made in the process that answers, after the fork
        self._asked: dict[str, Future[str]] = {}
        self._last: tuple[float, dict[str, str]] = (0.0, {})

    def look(self) -> dict[str, str]:
        """Return what each part says: a text that begins with “ok”, or what is wrong with it."""
        with self._lock:
            at, told = self._last
            if told and time.monotonic() - at < FRESH_SECONDS:
                return told
            futures = {name: self._ask(name) for name in PARTS}
        wait(futures.values(), timeout=WAIT_SECONDS)
        told = {name: _read(name, future) for name, future in futures.items()}
        self._last = (time.monotonic(), told)
        return told

    def _ask(self, name: str) -> Future[str]:
        asked = self._asked.get(name)
        if asked is None or asked.done():
            self._pool = self._pool or ThreadPoolExecutor(len(PARTS), thread_name_prefix="probe")
            asked = self._asked[name] = self._pool.submit(lambda: PARTS[name]())
        return asked


def _read(name: str, future: Future[str]) -> str:
    if not future.done():
        return AWAY
    error = future.exception()
    if error is None:
        return future.result()
    log.warning("part_away", part=name, error=str(error))  # the words may hold addresses, which strangers do not see
    return AWAY


prober = Prober()
