"""Django's backend for PostgreSQL, which waits only so long for an answer.

A server that is suspended, or whose disk hangs, keeps its connections open and says nothing: no time limit of its own
ends a statement then, and the kernel takes the connection for a good one.

The option `answer_seconds` is how long one statement may take; None, as usual, for ever. Then the server is asked to
stop, the connection is closed, and the statement raises an `OperationalError`, as if the connection had been lost.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg import capabilities

CHECK_SECONDS = 2.0  # for a connection that was idle: longer, and a new one is tried
CANCEL_SECONDS = 1.0


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to PostgreSQL whose statements end."""

    answer_seconds: float | None = None

    def get_connection_params(self) -> dict[str, Any]:
        """Return what psycopg connects with, which knows nothing of our option."""
        params: dict[str, Any] = super().get_connection_params()
        self.answer_seconds = params.pop("answer_seconds", None)
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection of psycopg, all of whose waiting is bounded."""
        connection = super().get_new_connection(conn_params)
        connection.wait = partial(self._wait, connection)
        return connection

    def is_usable(self) -> bool:
        """Return whether the connection answers, and soon."""
        with self._answering_within(CHECK_SECONDS):
            return bool(super().is_usable())

    @contextmanager
    def _answering_within(self, seconds: float) -> Iterator[None]:
        usual = self.answer_seconds
        self.answer_seconds = seconds if usual is None else min(seconds, usual)
        try:
            yield
        finally:
            self.answer_seconds = usual

    def _wait(self, connection: psycopg.Connection[Any], gen: Any, **options: Any) -> Any:
        """Wait for what psycopg waits for: every statement, commit and fetched part ends up here."""
        try:
            return psycopg.Connection.wait(connection, gen, **{"timeout": self.answer_seconds, **options})
        except psycopg.OperationalError:
            if connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                _give_up(connection)
            raise


def _give_up(connection: psycopg.Connection[Any]) -> None:
    """Close a connection whose statement is not done, so that nobody reads its answer as that of the next one."""
    if capabilities.has_cancel_safe():  # the other way to cancel has no time limit
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=CANCEL_SECONDS)
    connection.close()
