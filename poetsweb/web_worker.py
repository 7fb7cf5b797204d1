"""A gunicorn worker whose threads never wait for a slow client.

Gunicorn's threaded worker gives a connection to a thread as soon as its first byte is there, and a thread that waits
for the rest of a header answers nobody else: sixteen such connections stop a site. Here the worker's main loop, which
waits for all connections at once, collects a request until it is whole. Of a large body, which is streamed to a file,
it collects the beginning: who sends no more than that gets no thread. Such bodies may take half of the threads at
most, have to keep a least rate, and are taken in turns (large_bodies.py).
"""

import pkgutil
import re
import select
import socket
import struct
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from poetsweb.large_bodies import PAUSE_SECONDS, PacedSocket, Turns

HEADER_SECONDS = 10.0  # until a request's header is there
BODY_SECONDS = 60.0  # until a small body is, or the beginning of a large one
MAX_HEADER_BYTES = 2**16
MAX_COLLECTED_BYTES = 2**18  # of a body; the rest of larger ones is streamed
CONNECTIONS_PER_ADDRESS = 100  # whose requests are not whole yet; a proxy may have more
STOP_SECONDS = 2.0  # that a worker which stops leaves to a request that is not whole yet
SEND_SECONDS = 60  # in which a client takes no byte of an answer, after which it is given up
HANDSHAKE_SECONDS = 0.2  # in which a worker that stops accepts connections that were on their way
FOLLOW_SECONDS = 0.01  # for which a thread that has answered waits for the next request of the same client
_PIECE = 2**16
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_STREAMED = re.compile(rb"\r\n(transfer-encoding|expect|upgrade):", re.IGNORECASE)
_FORWARDED = re.compile(rb"\r\nx-forwarded-for:([^\r\n]*)", re.IGNORECASE)
_SENTENCE = b'{"error": "Too many large files are coming in at once. Please try again in a minute."}'
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_SENTENCE), _SENTENCE)
)


@dataclass
class _Request:
    """What has come of a request."""

    received: bytearray
    begun: float = field(default_factory=time.monotonic)

    @property
    def has_header(self) -> bool:
        return _END in self.received

    def state(self) -> str:
        """Return "part", "whole", or "streamed" if the rest of the body is left to the thread.

        How much comes of a body that is sent in chunks, or only when it is asked for, cannot be known beforehand.
        """
        end = self.received.find(_END)
        if end < 0:
            return "whole" if len(self.received) > MAX_HEADER_BYTES else "part"  # gunicorn refuses it
        header = bytes(self.received[: end + 2])
        found = _LENGTH.search(header)
        length = int(found[1]) if found else 0
        if _STREAMED.search(header):
            return "streamed"
        if len(self.received) < end + len(_END) + min(length, MAX_COLLECTED_BYTES):
            return "part"
        return "streamed" if length > MAX_COLLECTED_BYTES else "whole"

    def is_late(self, now: float) -> bool:
        return now - self.begun > (BODY_SECONDS if self.has_header else HEADER_SECONDS)


class BufferingWorker(ThreadWorker):  # type: ignore[misc] # its package has no types
    """The worker; `enqueue_req` is the only way from its main loop to the threads."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._requests: dict[Any, _Request] = {}  # by connection
        self._turns = Turns(max(1, self.cfg.threads // 2))

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
        if pkgutil.resolve_name("classifier.clients:is_trusted_proxy")(address):
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
            return
        client = self._client(conn, received)
        if self._turns.begin(conn, client):
            self._stream(conn)
        elif not self._turns.wait(conn, client):
            self._refuse(conn)

    def _client(self, conn: Any, received: bytes) -> str:
        """Return who sends the body, or "" for a proxy that does not say for whom."""
        told = b",".join(_FORWARDED.findall(received[: received.find(_END) + 2])).decode("latin-1")
        return str(pkgutil.resolve_name("classifier.clients:client_to_limit")(self._address(conn), told))

    def _stream(self, conn: Any) -> None:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", PAUSE_SECONDS, 0))
        conn.parser.unreader.sock = PacedSocket(conn.sock)
        super().enqueue_req(conn)

    def _refuse(self, conn: Any) -> None:
        """Ask the client to come again, without waiting for it: a client that still sends may not hear that."""
        with suppress(OSError):
            conn.sock.send(_BUSY, socket.MSG_DONTWAIT)
            conn.sock.shutdown(socket.SHUT_WR)
        self._drop(conn)

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
        if not self.alive or conn in self._turns or unreader.buf.getvalue() or not self.tpool._work_queue.empty():
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
        if conn in self._turns:
            self._turns.end(conn)
            conn.parser.unreader.sock = conn.sock
            while (following := self._turns.begin_next()) is not None:
                self._stream(following)
        super().finish_request(conn, future)

    def murder_pending(self) -> None:
        """Close the connections whose requests take too long, in every round of the main loop."""
        super().murder_pending()
        now = time.monotonic()
        last = 0.0 if self.alive else now - STOP_SECONDS
        for conn in [conn for conn, request in self._requests.items() if request.is_late(now) or request.begun < last]:
            self.poller.unregister(conn.sock)
            self._drop(conn)
        for conn in self._turns.give_up_late():
            self._refuse(conn)

    def _drop(self, conn: Any) -> None:
        self._requests.pop(conn, None)
        self.nr_conns -= 1
        conn.close()
