"""Test that a listener which is about to close drops new connections, and no others."""

import os
import socket
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from gunicorn.sock import TCPSocket

from poetsweb.listeners import drop_before_closing, drop_new_connections

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="Only Linux can drop them.")


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        opened = socket.create_server((request.param, 0), family=family)
    except OSError:
        pytest.skip(f"This machine has no {request.param}.")
    with opened:
        yield opened


def connect(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname()[:2], timeout=0.3)


@only_linux
def test_new_connections_are_dropped_and_others_go_on(listener: socket.socket) -> None:
    with connect(listener) as waiting, connect(listener) as taken:
        drop_new_connections(listener)
        with pytest.raises(TimeoutError):
            connect(listener)
        for client in (waiting, taken):
            accepted, _ = listener.accept()
            with accepted:
                client.sendall(b"question")
                assert accepted.recv(100) == b"question"
                accepted.sendall(b"answer")
                assert client.recv(100) == b"answer"


def test_what_is_no_listener_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        drop_new_connections(ours)
    drop_new_connections(ours)  # closed


@only_linux
def test_only_the_process_that_was_first_drops_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SimpleNamespace(is_ssl=False, reuse_port=False, backlog=8)
    with socket.create_server(("127.0.0.1", 0)) as kept:
        in_worker, in_first = (
            TCPSocket(kept.getsockname(), settings, None, fd=os.dup(kept.fileno())) for _ in range(2)
        )
        drop_before_closing(in_worker)
        drop_before_closing(in_first)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(os, "getpid", lambda: 1)
            in_worker.close()
        connect(kept).close()
        in_first.close()
        with pytest.raises(TimeoutError):
            connect(kept)
