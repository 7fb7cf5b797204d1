"""Writes that are not worth waiting for, and what one at a time works on: rows, and the tables themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from filelock import FileLock, Timeout

Row = TypeVar("Row", bound=Model)
MIGRATIONS = 0x706F657473  # the number of a lock of PostgreSQL that is this program's


@contextmanager
def write_at_once() -> Iterator[None]:
    """Run a transaction that fails at once, with a `DatabaseError`, where SQLite would wait for another writer.

    PostgreSQL locks rows only: leave out those that others hold, with `select_for_update(skip_locked=True)`.
    """
    if connection.vendor != "sqlite":
        with transaction.atomic():
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        usual = int(cursor.fetchone()[0])
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            with transaction.atomic():
                yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")


@contextmanager
def hold_row(model: type[Row], pk: int) -> Iterator[Row | None]:
    """Give the row as it is now, to one at a time; None where another holds it, or where it is gone.

    With SQLite, all are on this machine and a file is locked: a transaction would keep everybody from writing.
    """
    rows = model._default_manager.all()
    if connection.vendor != "sqlite":
        with transaction.atomic():
            yield rows.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk).first()
        return
    lock = FileLock(Path(settings.FILE_UPLOAD_TEMP_DIR) / f"{model._meta.db_table}-{pk}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield None
        return
    try:
        yield rows.filter(pk=pk).first()
    finally:
        lock.release()


@contextmanager
def hold_migrations() -> Iterator[None]:
    """Let one process at a time change the tables: the machines or containers of a site may start together.

    SQLite is one machine's, where `serve` starts once. The lock is of the connection: it goes with a process that dies.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATIONS])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATIONS])
