"""Whether what the site lives on answers: database, migrations, broker and file storage. Nothing here may hang."""

import os
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog
from django.conf import settings
from django.db import OperationalError, connection
from redis import Redis

from classifier.schema import compare_migrations
from classifier.storage import check_storage

log = structlog.get_logger(__name__)

WAIT_SECONDS = 8.0  # for all of them together; what has not answered by then counts as away
FRESH_SECONDS = 1.0  # in which an answer is given again: whoever asks often must not keep the services busy
LOCK_SECONDS = 1.0  # for another writer, whose ordinary transaction is over long before
OK, AWAY, READ_ONLY = "ok", "does not answer", "cannot be written"


def _ask_database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return OK
    finally:
        connection.close()  # the thread's own


def _ask_writing() -> str:
    """Tell whether the database could be written, and write nothing."""
    try:
        return OK if _may_write() else READ_ONLY
    finally:
        connection.close()


def _may_write() -> bool:
    with connection.cursor() as cursor:
        if connection.vendor != "sqlite":
            cursor.execute("SHOW transaction_read_only")
            return bool(cursor.fetchone()[0] == "off")
        if connection.is_in_memory_db():  # type: ignore[attr-defined] # SQLite's alone
            return True
        if not os.access(connection.settings_dict["NAME"], os.W_OK):  # the lock is to be had on a read-only disk, too
            return False
        cursor.execute(f"PRAGMA busy_timeout = {round(LOCK_SECONDS * 1000)}")
        try:
            cursor.execute("BEGIN IMMEDIATE")  # takes the one lock of writers
        except OperationalError:
            return False
        cursor.execute("ROLLBACK")
        return True


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
    "writing": _ask_writing,
    "migrations": _ask_migrations,
    "broker": _ask_broker,
    "storage": _ask_storage,
}


READY = ("database", "migrations", "broker", "storage")


class Prober:
    """Asks parts at once, each in a thread. One that hangs is asked once, however often people want to know."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None  # made in the process that answers, after the fork
        self._asked: dict[str, tuple[float, Future[str]]] = {}  # when, and the answer

    def look(self, names: Collection[str] = READY, *, seconds: float | None = None) -> dict[str, str]:
        """Return what each part says within so many seconds: a text that begins with “ok”, or what is wrong with it."""
        with self._lock:
            futures = {name: self._ask(name) for name in names}
        wait(futures.values(), timeout=WAIT_SECONDS if seconds is None else seconds)
        return {name: future.result() if future.done() else AWAY for name, future in futures.items()}

    def _ask(self, name: str) -> Future[str]:
        at, asked = self._asked.get(name, (0.0, None))
        if asked is None or (asked.done() and time.monotonic() - at >= FRESH_SECONDS):
            self._pool = self._pool or ThreadPoolExecutor(len(PARTS), thread_name_prefix="probe")
            asked = self._pool.submit(_answer, name)
            self._asked[name] = time.monotonic(), asked
        return asked


def _answer(name: str) -> str:
    try:
        return PARTS[name]()
    except Exception as error:
        log.warning(
            "part_away", part=name, error=str(error)
        )  # the words may hold addresses, which strangers do not see
        return AWAY


prober = Prober()
