"""Writes that are not worth waiting for."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


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
