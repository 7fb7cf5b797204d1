"""A site that stops answers whoever has come in, and whoever comes later is refused at once, or within seconds."""

import socket
import threading
import time
from pathlib import Path

import pytest

from tests.site import Site

pytestmark = pytest.mark.site

CLIENTS = 6
QUESTION = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
CLOSING = QUESTION[:-2] + b"Connection: close\r\n\r\n"


class Visitors:
    """Clients that open a connection, ask one question and go, until the site refuses their connections."""

    def __init__(self, port: int) -> None:
        self.port, self.answered, self.lost = port, 0, list[str]()
        self.threads = [threading.Thread(target=self._come_and_go) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def _come_and_go(self) -> None:
        while True:
            try:
                visitor = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            except ConnectionRefusedError:
                return
            with visitor:
                self._ask(visitor)

    def _ask(self, visitor: socket.socket) -> None:
        try:
            visitor.sendall(CLOSING)
            answer = visitor.recv(1000)
        except OSError as error:
            self.lost.append(repr(error))
            return
        if answer.startswith(b"HTTP/1.1 200 "):
            self.answered += 1
        else:
            self.lost.append(repr(answer[:100]))

    def wait(self) -> None:
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()


def test_every_connection_that_was_taken_is_answered(tmp_path: Path, prepared: Path) -> None:
    site = Site(tmp_path / "data", prepared=prepared, EMBED_WORKERS="1").start()
    try:
        with socket.create_connection(("127.0.0.1", site.port), timeout=20) as kept:  # which the site leaves open
            kept.sendall(QUESTION)
            assert kept.recv(1000).startswith(b"HTTP/1.1 200 ")
            visitors = Visitors(site.port)
            time.sleep(1)
            assert site.stop() == 0
            visitors.wait()
    finally:
        site.stop()
    assert visitors.lost == []
    assert visitors.answered > CLIENTS
