"""Who may stream a large body into a thread, and how slowly: a thread that waits for bytes answers nobody else."""

import errno
import socket
import time
from collections import deque
from typing import Any

PAUSE_SECONDS = 15  # for which a streamed body may stand still, and which a sender that is too slow uses up
LEAST_RATE = 4096  # bytes a second of a streamed body
WAIT_SECONDS = 120.0  # for a place, after which the client is asked to come again
MOST_WAITING, MOST_WAITING_OF_ONE = 200, 50  # each keeps what has come of it in memory


class PacedSocket:
    """A socket whose sender is given up if it is too slow, for the parser's `recv`.

    Time in which nothing comes is used up, and bytes buy it back: a network may pause, but single bytes do not do.
    The time that the server takes for what has come does not count.
    """

    def __init__(self, whole: socket.socket) -> None:
        self._whole, self._left = whole, float(PAUSE_SECONDS)

    def recv(self, size: int) -> bytes:
        begun = time.monotonic()
        try:
            data = self._whole.recv(size)
        except BlockingIOError:  # SO_RCVTIMEO
            raise OSError(errno.ECONNRESET, "The client has stalled.") from None
        self._left -= time.monotonic() - begun
        if self._left < 0:
            raise OSError(errno.ECONNRESET, "The client is too slow.")
        self._left = min(self._left + len(data) / LEAST_RATE, PAUSE_SECONDS)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


class Turns:
    """The connections that stream a large body, and those that wait for a place, by client.

    A client has half of the places at most, so that the next one finds a place at once, and those that wait have their
    turn client by client. A client without a name is a proxy that speaks for many and may have all places.
    """

    def __init__(self, places: int) -> None:
        self._places, self._share = places, max(1, places // 2)
        self._streaming: dict[Any, str] = {}  # the client, by connection
        self._waiting: dict[str, deque[tuple[float, Any]]] = {}  # since when, by client; whose turn is next comes first

    def __contains__(self, conn: Any) -> bool:
        return conn in self._streaming

    def begin(self, conn: Any, client: str) -> bool:
        """Give the connection a place; return False if there is none for its client."""
        if not self._has_place(client):
            return False
        self._streaming[conn] = client
        return True

    def wait(self, conn: Any, client: str) -> bool:
        """Let the connection wait for a place; return False if too many do."""
        if sum(map(len, self._waiting.values())) >= MOST_WAITING:
            return False
        if client and len(self._waiting.get(client, ())) >= MOST_WAITING_OF_ONE:
            return False
        self._waiting.setdefault(client, deque()).append((time.monotonic(), conn))
        return True

    def end(self, conn: Any) -> None:
        """Free the place of a connection."""
        del self._streaming[conn]

    def begin_next(self) -> Any:
        """Give a place to the connection whose turn it is and return it, or None if there is no such place."""
        for client in self._waiting:
            if self._has_place(client):
                queue = self._waiting.pop(client)
                conn = queue.popleft()[1]
                if queue:
                    self._waiting[client] = queue  # behind all others
                self._streaming[conn] = client
                return conn
        return None

    def give_up_late(self) -> list[Any]:
        """Return the connections that have waited for too long, which wait no longer."""
        late, last = [], time.monotonic() - WAIT_SECONDS
        for client, queue in list(self._waiting.items()):
            while queue and queue[0][0] < last:
                late.append(queue.popleft()[1])
            if not queue:
                del self._waiting[client]
        return late

    def _has_place(self, client: str) -> bool:
        if len(self._streaming) >= self._places:
            return False
        return not client or list(self._streaming.values()).count(client) < self._share
