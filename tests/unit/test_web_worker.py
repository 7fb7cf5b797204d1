"""Test what gets a thread, and when one that has answered waits for the next request of the same client."""

import json
import socket
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from gunicorn.http.unreader import SocketUnreader

from poetsweb.large_bodies import Turns
from poetsweb.web_worker import FOLLOW_SECONDS, MAX_COLLECTED_BYTES, BufferingWorker, _Request

REQUEST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody"
LARGE = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\nbody" % (MAX_COLLECTED_BYTES + 1)


CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
ASKED_FOR = b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"


@dataclass(eq=False)
class Connection:
    """What the worker knows of a connection, and the client's end of it."""

    sock: socket.socket
    client: socket.socket

    def __post_init__(self) -> None:
        self.parser = SimpleNamespace(unreader=SocketUnreader(self.sock))

    def close(self) -> None:
        self.sock.close()

    @property
    def held(self) -> bytes:
        """Return what is there for the parser, or for the main loop."""
        return bytes(self.parser.unreader.buf.getvalue())


@pytest.fixture
def connection() -> Iterator[Connection]:
    theirs, ours = socket.socketpair()
    with theirs, ours:
        yield Connection(theirs, ours)


@pytest.fixture
def worker() -> Iterator[BufferingWorker]:
    made = BufferingWorker.__new__(BufferingWorker)
    made.alive, made._turns = True, Turns(1)
    with ThreadPoolExecutor(1) as made.tpool:
        yield made


@pytest.mark.parametrize(
    ("received", "state"),
    [
        (REQUEST[:30], "part"),
        (REQUEST[:-1], "part"),
        (REQUEST, "whole"),
        (LARGE, "part"),
        (LARGE + (MAX_COLLECTED_BYTES - 5) * b"x", "part"),
        (LARGE + (MAX_COLLECTED_BYTES - 4) * b"x", "streamed"),
        (CHUNKED, "streamed"),
        (ASKED_FOR, "streamed"),
    ],
)
def test_thread_is_for_what_is_whole_or_has_begun_in_earnest(received: bytes, state: str) -> None:
    assert _Request(bytearray(received)).state() == state


def test_request_that_is_there_follows(worker: BufferingWorker, connection: Connection) -> None:
    connection.client.sendall(REQUEST)
    assert worker._follows(connection)
    assert connection.held == REQUEST


@pytest.mark.parametrize("sent", [b"", b"POST", REQUEST[:-1], LARGE])
def test_what_is_not_whole_is_left_to_the_main_loop(
    worker: BufferingWorker, connection: Connection, sent: bytes
) -> None:
    connection.client.sendall(sent)
    assert not worker._follows(connection)
    assert connection.held == sent


@pytest.mark.parametrize("sent", [b"", REQUEST[:-1]])
def test_client_that_has_gone_is_left_to_the_main_loop(
    worker: BufferingWorker, connection: Connection, sent: bytes
) -> None:
    connection.client.sendall(sent)
    connection.client.close()
    assert not worker._follows(connection)
    assert connection.held == sent


def test_client_that_drips_has_the_thread_no_longer_than_a_moment(
    worker: BufferingWorker, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.client.sendall(REQUEST)
    clock = iter([0.0, 0.0, 0.0, FOLLOW_SECONDS])
    monkeypatch.setattr("poetsweb.web_worker._PIECE", 1)  # as if byte came after byte
    monkeypatch.setattr("poetsweb.web_worker.time", SimpleNamespace(monotonic=clock.__next__))
    assert not worker._follows(connection)
    assert connection.held == REQUEST[:2]


def test_others_that_wait_for_a_thread_come_first(worker: BufferingWorker, connection: Connection) -> None:
    connection.client.sendall(REQUEST)
    busy = threading.Event()
    worker.tpool.submit(busy.wait)
    worker.tpool.submit(busy.wait)
    assert not worker._follows(connection)
    busy.set()
    assert connection.sock.recv(len(REQUEST)) == REQUEST  # untouched


@pytest.mark.parametrize("state", ["stopping", "streaming", "ahead"])
def test_only_the_main_loop_goes_on(worker: BufferingWorker, connection: Connection, state: str) -> None:
    connection.client.sendall(REQUEST)
    if state == "stopping":
        worker.alive = False
    elif state == "streaming":
        worker._turns.begin(connection, "")
    else:
        connection.parser.unreader.unread(REQUEST)  # came in one piece with the one before
    assert not worker._follows(connection)
    assert connection.sock.recv(len(REQUEST)) == REQUEST


@pytest.fixture
def strangers(worker: BufferingWorker) -> Iterator[list[Connection]]:
    """Provide connections of one client, of which the first has the only place."""
    worker._requests, worker.nr_conns = {}, 2
    with ExitStack() as stack:
        made = []
        for _ in range(2):
            ours, theirs = map(stack.enter_context, socket.socketpair())
            made.append(Connection(ours, theirs))
        worker._turns.begin(made[0], "a")
        yield made


def test_client_that_waits_for_too_long_is_told_so(
    worker: BufferingWorker, strangers: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.pending_conns = deque()
    worker._turns.wait(strangers[1], "a")
    worker.murder_pending()
    assert worker.nr_conns == 2
    monkeypatch.setattr("poetsweb.large_bodies.WAIT_SECONDS", -1)
    worker.murder_pending()
    assert worker.nr_conns == 1
    head, _, body = strangers[1].client.recv(1000).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 60\r\n" in head
    assert "try again" in json.loads(body)["error"]
    assert strangers[1].client.recv(1) == b""
