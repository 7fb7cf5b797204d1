"""Clients that are slow, or silent in the middle of a request, keep nobody else waiting."""

import io
import random
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from PIL import Image

from poetsweb.large_bodies import PAUSE_SECONDS
from tests.datasets import coloured_pictures
from tests.site import Site

pytestmark = pytest.mark.site
HALF_HEADER = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
HALF_BODY = (
    b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 100\r\n\r\nusername="
)
WITH_BODY = (
    b"POST /api/v1/projects HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b'Content-Length: 18\r\n\r\n{"name": "A name"}'
)
HALF_UPLOAD = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n\r\n" + 1000 * b"x"
HALF_STREAM = (  # what gets a thread before anything of its body is there
    b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Cookie: csrftoken=12345678901234567890123456789012\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"
)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def connect(site: Site, stack: ExitStack, source: str = "127.0.0.1") -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", site.port), 30, (source, 0)))


@contextmanager
def dripping(clients: list[socket.socket], byte: bytes = b"x", pause: float = 8) -> Iterator[None]:
    """Let each client send a byte now and then."""
    ended = threading.Event()

    def drip() -> None:
        while not ended.wait(pause):
            for client in clients:
                with suppress(OSError):
                    client.sendall(byte)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def large_picture() -> bytes:
    """Return a picture of 3 MB, nothing of which can be compressed."""
    kept = io.BytesIO()
    Image.frombytes("RGB", (1000, 1000), random.Random(1).randbytes(3_000_000)).save(kept, "PNG")
    return kept.getvalue()


@pytest.mark.parametrize("begun", [HALF_HEADER, HALF_BODY, HALF_UPLOAD])
def test_others_are_answered_meanwhile(site: Site, stack: ExitStack, begun: bytes) -> None:
    for _ in range(200):
        connect(site, stack).sendall(begun)
    for _ in range(20):
        with urllib.request.urlopen(f"{site.address}/health", timeout=30) as answer:
            assert answer.status == 200
    owner = site.client("owner")
    slug = owner.ok("POST", "/projects", {"name": "Meanwhile"})["slug"]
    picture = next(iter(coloured_pictures(1).values()))
    files = [("file", "1.jpg", picture)]
    assert owner.ok("POST", f"/projects/{slug}/uploads", {"class": "red"}, files)["results"][0]["status"] == "stored"


@pytest.mark.parametrize(
    ("source", "begun"), [("127.0.0.1", HALF_UPLOAD), ("127.0.0.2", HALF_STREAM)], ids=["no thread", "half of them"]
)
def test_large_picture_is_stored_meanwhile(site: Site, stack: ExitStack, source: str, begun: bytes) -> None:
    owner = site.client("owner")
    slug = owner.ok("POST", "/projects", {"name": "Large"})["slug"]
    files = [("file", "large.png", large_picture())]
    strangers = [connect(site, stack, source) for _ in range(60)]
    for stranger in strangers:
        stranger.sendall(begun)
    with dripping(strangers):
        begin = time.monotonic()
        stored = owner.ok("POST", f"/projects/{slug}/uploads", {"class": "red"}, files)
        assert stored["results"][0]["status"] == "stored"
        assert time.monotonic() - begin < 5


@pytest.mark.slow
def test_who_drips_a_stream_is_given_up(site: Site, stack: ExitStack) -> None:
    stranger = connect(site, stack)
    stranger.sendall(HALF_STREAM)
    with dripping([stranger], pause=2):
        begin = time.monotonic()
        answer = stranger.recv(100)
        assert not answer.startswith(b"HTTP/1.1 2")
        assert time.monotonic() - begin < 2 * PAUSE_SECONDS


def test_request_that_comes_byte_by_byte_is_answered(site: Site, stack: ExitStack) -> None:
    slow = connect(site, stack)
    for byte in b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n":
        slow.sendall(bytes([byte]))
        time.sleep(0.005)
    assert slow.recv(100).startswith(b"HTTP/1.1 200 ")


def test_requests_in_one_piece_are_answered_one_after_the_other(site: Site, stack: ExitStack) -> None:
    client = connect(site, stack)
    client.sendall(3 * b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    received = b""
    while received.count(b"HTTP/1.1 200 ") < 3:
        data = client.recv(65536)
        assert data, received
        received += data


@pytest.mark.parametrize("pause", [0, 0.001, 0.01], ids=["at once", "a moment later", "later"])
def test_request_that_follows_on_its_connection_is_answered(site: Site, stack: ExitStack, pause: float) -> None:
    client = connect(site, stack)
    for cut in (0, 1, 30, len(WITH_BODY) - 5):
        time.sleep(pause)
        client.sendall(WITH_BODY[:cut])
        time.sleep(pause)
        client.sendall(WITH_BODY[cut:])
        received = b""
        while not received.endswith(b"}"):
            data = client.recv(65536)
            assert data, received
            received += data
        assert received.startswith(b"HTTP/1.1 401 ")


@pytest.mark.slow
def test_header_that_never_ends_is_given_up(site: Site, stack: ExitStack) -> None:
    slow = connect(site, stack)
    slow.settimeout(30)
    slow.sendall(HALF_HEADER)
    assert slow.recv(100) == b""
