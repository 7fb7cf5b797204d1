"""A time by which whoever is asked must have answered.

The time-out of a socket counts the seconds without a byte: a server that sends one now and then keeps a connection
open for as long as it likes.
"""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

Connect = Callable[..., socket.socket]


class Deadline:
    """Cuts off the connections that are made under it once the time is over. Use it as a context manager.

    Whatever was read from a connection that was cut off is not whole, so a TimeoutError is raised instead.
    """

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._is_over = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for connection in self._watched:
                connection.close()
            self._watched.clear()
        if self._is_over and (error is None or isinstance(error, (OSError, http.client.HTTPException))):
            raise TimeoutError from error

    def watching(self, connect: Connect) -> Connect:
        """Return what connects as `connect` does, within the time that is left, to what is cut off at its end."""

        def connect_in_time(address: tuple[str, int], timeout: Any = None, *rest: Any, **options: Any) -> socket.socket:
            left = max(self._ends - time.monotonic(), 0.001)
            return self._watch(connect(address, left, *rest, **options))

        return connect_in_time

    def _watch(self, connection: socket.socket) -> socket.socket:
        with self._lock:
            self._watched.append(connection.dup())  # TLS takes the connection itself over
            if self._is_over:
                _cut(connection)
        return connection

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
            for connection in self._watched:
                _cut(connection)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended already
        return
