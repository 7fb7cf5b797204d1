"""A view of the database as it was at one moment, while others go on writing."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, connections, transaction

ALIAS = "snapshot"  # of the connection that reads it


@contextmanager
def take_snapshot(folder: Path) -> Iterator[str]:
    """Give the alias of a connection that sees the database as it is now, until the end of the block.

    SQLite's is a copy in this folder, made by its online backup: a long transaction would keep its log from being
    cleaned. PostgreSQL keeps one itself for as long as it is read.
    """
    if connection.vendor == "sqlite":
        path = folder / "snapshot.sqlite3"
        _copy_sqlite(path)
        settings: dict[str, Any] = {"NAME": str(path), "OPTIONS": {"transaction_mode": "DEFERRED"}}
    else:
        from psycopg import IsolationLevel

        path = None
        options = {**connection.settings_dict["OPTIONS"], "isolation_level": IsolationLevel.REPEATABLE_READ}
        settings = {"OPTIONS": options}
    connections.databases[ALIAS] = {**connection.settings_dict, **settings, "CONN_MAX_AGE": 0}
    try:
        with transaction.atomic(using=ALIAS):
            yield ALIAS
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], connections.databases[ALIAS]
        if path is not None:
            path.unlink(missing_ok=True)


def _copy_sqlite(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    connection.ensure_connection()
    copy = sqlite3.connect(path)
    try:
        connection.connection.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, which is all that is deleted afterwards
    finally:
        copy.close()
