"""A gunicorn worker whose threads never wait for a slow client.

Gunicorn's threaded worker gives a connection to a thread as soon as its first byte is there, and a thread that waits
for the rest of a header answers nobody else: sixteen such connections stop a site. Here the worker's main loop, which
waits for all connections at once, collects a request until it is whole. Large bodies, which are streamed to a file, may
take half of the threads at most, and have to keep a least rate.
"""

import errno
import re
import select
import socket
import struct
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

HEADER_SECONDS = 10.0  # until a request's header is there
BODY_SECONDS = 60.0  # until a small body is
MAX_HEADER_BYTES = 2**16
MAX_COLLECTED_BYTES = 2**18  # of a body; larger ones are streamed
CONNECTIONS_PER_ADDRESS = 100  # whose requests are not whole yet; a proxy on this machine may have more
STOP_SECONDS = 2.0  # that a worker which stops leaves to a request that is not whole yet
STALL_SECONDS = 20  # without a byte, after which a streamed body is given up
SEND_SECONDS = 60  # in which a client takes no byte of an answer, after which it is given up
GRACE_SECONDS, LEAST_RATE = 60.0, 4096  # bytes a second of a streamed body, from then on
HANDSHAKE_SECONDS = 0.2  # in which a worker that stops accepts connections that were on their way
FOLLOW_SECONDS = 0.01  # for which a thread that has answered waits for the next request of the same client
_PIECE = 2**16
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_STREAMED = re.compile(rb"\r\n(transfer-encoding|expect|upgrade):", re.IGNORECASE)


@dataclass
class _Request:
    """What has come of a request."""

    received: bytearray
    begun: float = field(default_factory=time.monotonic)

    @property
    def has_header(self) -> bool:
        return _END in self.received

    def state(self) -> str:
        """Return "part", "whole", or "streamed" if the rest of the body is left to the thread."""
        end = self.received.find(_END)
        if end < 0:
            return "whole" if len(self.received) > MAX_HEADER_BYTES else "part"  # gunicorn refuses it
        header = bytes(self.received[: end + 2])
        found = _LENGTH.search(header)
        length = int(found[1]) if found else 0
        if _STREAMED.search(header) or length > MAX_COLLECTED_BYTES:
            return "streamed"
        return "whole" if len(self.received) >= end + len(_END) + length else "part"

    def is_late(self, now: float) -> bool:
        return now - self.begun > (BODY_SECONDS if self.has_header else HEADER_SECONDS)


class _PacedSocket:
    """A socket whose sender is given up if it is too slow, for the parser's `recv`."""

    def __init__(self, whole: socket.socket) -> None:
        self._whole, self._begun, self._bytes = whole, time.monotonic(), 0

    def recv(self, size: int) -> bytes:
        try:
            data = self._whole.recv(size)
        except BlockingIOError:  # SO_RCVTIMEO
            raise OSError(errno.ECONNRESET, "The client has stalled.") from None
        self._bytes += len(data)
        seconds = time.monotonic() - self._begun
        if seconds > GRACE_SECONDS and self._bytes < LEAST_RATE * seconds:
            raise OSError(errno.ECONNRESET, "The client is too slow.")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


class BufferingWorker(ThreadWorker):  # type: ignore[misc] # its package has no types
    """The worker; `enqueue_req` is the only way from its main loop to the threads."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._requests: dict[Any, _Request] = {}  # by connection
        self._streaming: set[Any] = set()
        self._waiting: deque[Any] = deque()  # connections whose streamed body waits for a thread

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept all that have come, and close the listeners at once, when the worker stops.

        Gunicorn would leave them open until the last answer is out: what comes meanwhile would wait for nothing.
        """
        if self.alive:
            super().set_accept_enabled(enabled)
            return
        super().set_accept_enabled(True)
        until = time.monotonic() + HANDSHAKE_SECONDS
        while (left := until - time.monotonic()) > 0:
            self.wait_for_and_dispatch_events(timeout=left)
        super().set_accept_enabled(False)
        for listener in self.sockets:
            self._accept_all(listener)
            listener.close()

    def _accept_all(self, listener: Any) -> None:
        poller = select.poll()
        poller.register(listener, select.POLLIN)
        while poller.poll(0):
            self.accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        """Collect the request, then give the connection to a thread."""
        left = conn.parser.unreader.take_buffered() if conn.parser else b""
        self._requests[conn] = _Request(bytearray(left))
        conn.sock.setblocking(False)
        if self._may_wait(conn) and not self._receive(conn):
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_more, conn))

    def _may_wait(self, conn: Any) -> bool:
        address = self._address(conn)
        if address in ("", "127.0.0.1", "::1"):
            return True
        if Counter(map(self._address, self._requests))[address] <= CONNECTIONS_PER_ADDRESS:
            return True
        self._drop(conn)
        return False

    @staticmethod
    def _address(conn: Any) -> str:
        return str(conn.client[0]) if isinstance(conn.client, tuple) else ""

    def _on_more(self, conn: Any, sock: Any) -> None:
        if self._receive(conn):
            self.poller.unregister(sock)

    def _receive(self, conn: Any) -> bool:
        """Take what there is; return whether the connection has left the main loop."""
        request = self._requests[conn]
        while request.state() == "part":
            try:
                data = conn.sock.recv(_PIECE)
            except BlockingIOError:
                return False
            except OSError:
                data = b""
                request.received.clear()
            if not data and not request.received:
                self._drop(conn)
                return True
            if not data:
                break  # cut off: gunicorn says so
            request.received += data
        self._hand_over(conn, streamed=request.state() == "streamed")
        return True

    def _hand_over(self, conn: Any, *, streamed: bool) -> None:
        received = bytes(self._requests.pop(conn).received)
        conn.data_ready = True
        conn.init()
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", SEND_SECONDS, 0))
        conn.parser.unreader.unread(received)
        if not streamed:
            super().enqueue_req(conn)
        elif len(self._streaming) < max(1, self.cfg.threads // 2):
            self._stream(conn)
        else:
            self._waiting.append(conn)

    def _stream(self, conn: Any) -> None:
        self._streaming.add(conn)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", STALL_SECONDS, 0))
        conn.parser.unreader.sock = _PacedSocket(conn.sock)
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Answer a request, and those that follow it on the same connection at once.

        The way through the main loop and to a thread again takes as long as a third of an answer.
        """
        kept = super().handle(conn)
        while kept is True and self._follows(conn):
            kept = super().handle(conn)
        return kept

    def _follows(self, conn: Any) -> bool:
        """Return whether the next request is there, whole, within a moment; never while others wait for a thread."""
        unreader = conn.parser.unreader
        if not self.alive or conn in self._streaming or unreader.buf.getvalue() or not self.tpool._work_queue.empty():
            return False
        poller, until = select.poll(), time.monotonic() + FOLLOW_SECONDS
        poller.register(conn.sock, select.POLLIN)
        request, state = _Request(bytearray()), "part"
        while state == "part" and (left := until - time.monotonic()) > 0 and poller.poll(left * 1000):
            try:
                data = conn.sock.recv(_PIECE, socket.MSG_DONTWAIT)
            except OSError:
                data = b""
            if not data:
                break  # the main loop will meet the end as well
            request.received += data
            state = request.state()
        unreader.unread(bytes(request.received))  # also for the main loop, which collects the rest of it
        return state == "whole"

    def finish_request(self, conn: Any, future: Any) -> None:
        """Let the next streamed body have the thread."""
        if conn in self._streaming:
            self._streaming.remove(conn)
            conn.parser.unreader.sock = conn.sock
            if self._waiting:
                self._stream(self._waiting.popleft())
        super().finish_request(conn, future)

    def murder_pending(self) -> None:
        """Close the connections whose requests take too long, in every round of the main loop."""
        super().murder_pending()
        now = time.monotonic()
        last = 0.0 if self.alive else now - STOP_SECONDS
        for conn in [conn for conn, request in self._requests.items() if request.is_late(now) or request.begun < last]:
            self.poller.unregister(conn.sock)
            self._drop(conn)

    def _drop(self, conn: Any) -> None:
        self._requests.pop(conn, None)
        self.nr_conns -= 1
        conn.close()
