"""Send HTTP requests from a lean client in a process of its own.

The requests are prepared bytes, and of the answers only status and length are read.
"""

import json
import multiprocessing
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median
from typing import Any, Protocol

from tests.site import encode_multipart

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """Requests as bytes, sent in turn to one port of this machine."""

    port: int
    requests: Sequence[bytes]


def empty_target(port: int) -> Target:
    """Return the target for the view that does nothing."""
    return Target(port, [b"GET /health/empty HTTP/1.1\r\nHost: localhost\r\n\r\n"])


def classify_target(port: int, slugs: Sequence[str], key: str, photos: Sequence[bytes]) -> Target:
    """Return a target that sends one picture per request, to each of the projects in turn."""
    pairs = islice(zip(cycle(slugs), cycle(photos), strict=False), max(len(slugs), len(photos)))
    return Target(port, [_classify(slug, key, photo) for slug, photo in pairs])


def _classify(slug: str, key: str, photo: bytes) -> bytes:
    return _post(f"/api/v1/projects/{slug}/classify", key, *encode_multipart({}, [("image", "photo.jpg", photo)]))


def explain_target(port: int, slug: str, key: str, photos: Sequence[bytes]) -> Target:
    """Return a target that asks, with one picture per request, for the picture with its heat."""
    bodies = [encode_multipart({}, [("image", "photo.jpg", photo)]) for photo in photos]
    return Target(port, [_post(f"/api/v1/projects/{slug}/explain?format=png", key, *body) for body in bodies])


def _post(path: str, key: str, body: bytes, kind: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def upload_target(port: int, slug: str, key: str, photos: Sequence[bytes]) -> Target:
    """Return a target that adds one picture per request to a class."""
    bodies = [encode_multipart({"class": "one"}, [("file", "photo.jpg", photo)]) for photo in photos]
    return Target(port, [_post(f"/api/v1/projects/{slug}/uploads", key, *body) for body in bodies])


def ask_target(port: int, slug: str, key: str) -> Target:
    """Return a target that asks, with the key, which of no pictures a project has: a call that keeps nothing."""
    body = json.dumps({"sha256s": []}).encode()
    return Target(port, [_post(f"/api/v1/projects/{slug}/known", key, body, "application/json")])


class Way(Protocol):
    """Something that can be timed; it is sent to the client's process and begins there."""

    def begin(self) -> Callable[[int], float]:
        """Prepare it, and return a function from the number of the turn to the seconds it took."""


@dataclass(frozen=True)
class OverHttp:
    """A way that sends the requests of a target over one connection."""

    target: Target

    def begin(self) -> Callable[[int], float]:
        """Open the connection, and return the function that sends one request."""
        connection = _Connection(self.target.port)

        def once(turn: int) -> float:
            request = self.target.requests[turn % len(self.target.requests)]
            begun = time.perf_counter()
            connection.send(request)
            return time.perf_counter() - begun

        return once


class LoadClient:
    """A client that runs the measurements in its own process, which is idle between them."""

    def __init__(self) -> None:
        self.pool = multiprocessing.get_context("spawn").Pool(1)

    def close(self) -> None:
        """Stop the process."""
        self.pool.terminate()

    def medians_in_turns(self, ways: Sequence["Way"], turns: int) -> list[float]:
        """Return the median seconds of each way when all take turns, with one client and open connections.

        Taking turns exposes all ways equally to the state of the caches and to other load on the machine.
        """
        return [float(found) for found in self.pool.apply(_medians_in_turns, (ways, turns))]

    def time_of_many(self, target: Target, clients: int, seconds: float) -> float:
        """Return the seconds per request with so many clients at once."""
        return float(self.pool.apply(_time_of_many, (target, clients, seconds)))

    def times_of_many(self, target: Target, clients: int, seconds: float) -> list[float]:
        """Return the seconds that each request took with so many clients at once."""
        return [float(took) for took in self.pool.apply(_times_of_many, (target, clients, seconds))]

    def send_all(self, target: Target, clients: int) -> None:
        """Send each request once, from so many clients."""
        self.pool.apply(_send_all, (target, clients))


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        """Send a request and read the answer to its end. Raise `RuntimeError` unless it succeeds."""
        self.socket.sendall(request)
        answer = self.socket.recv(65536)
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._more()
        found = _LENGTH.search(answer, 0, end)
        missing = (int(found.group(1)) if found else 0) - (len(answer) - end - 4)
        while missing > 0:
            missing -= len(self._more())
        if answer[9:10] != b"2":
            raise RuntimeError(f"The site answered: {answer[:1000]!r}")

    def _more(self) -> bytes:
        part = self.socket.recv(65536)
        if not part:
            raise RuntimeError("The site closed the connection.")
        return part


def _medians_in_turns(ways: Sequence["Way"], turns: int) -> list[float]:
    begun = [way.begin() for way in ways]
    times = [[do(turn) for do in begun] for turn in range(-turns // 10, turns)]
    return [median(column) for column in zip(*times[turns // 10 :], strict=True)]


def _time_of_many(target: Target, clients: int, seconds: float) -> float:
    """Run a closed loop, in which each client sends its next request when it has its answer; ignore the first 0.3 s."""
    sent, stop = [0] * clients, threading.Event()

    def send(number: int) -> None:
        connection = _Connection(target.port)
        for request in islice(cycle(target.requests), number, None):
            if stop.is_set():
                return
            connection.send(request)
            sent[number] += 1

    return float(_at_once(send, clients, lambda: _count_within(sent, seconds, stop)))


def _times_of_many(target: Target, clients: int, seconds: float) -> list[float]:
    """Run a closed loop like `_time_of_many`, and return the time of each request after the first 0.3 s."""
    times: list[list[float]] = [[] for _ in range(clients)]
    stop, begun = threading.Event(), time.perf_counter()

    def send(number: int) -> None:
        connection = _Connection(target.port)
        for request in islice(cycle(target.requests), number, None):
            if stop.is_set():
                return
            sent = time.perf_counter()
            connection.send(request)
            if sent - begun > 0.3:
                times[number].append(time.perf_counter() - sent)

    def wait() -> None:
        time.sleep(seconds)
        stop.set()

    _at_once(send, clients, wait)
    return [took for own in times for took in own]


def _count_within(sent: list[int], seconds: float, stop: threading.Event) -> float:
    time.sleep(0.3)
    before, begun = sum(sent), time.perf_counter()
    time.sleep(seconds)
    count, took = sum(sent) - before, time.perf_counter() - begun
    stop.set()
    return took / max(count, 1)


def _send_all(target: Target, clients: int) -> None:
    def send(number: int) -> None:
        connection = _Connection(target.port)
        for request in target.requests[number::clients]:
            connection.send(request)

    _at_once(send, clients, lambda: None)


def _at_once(work: Callable[[int], None], clients: int, meanwhile: Callable[[], Any]) -> Any:
    """Run work(0), ..., work(clients - 1) in threads and `meanwhile` beside them, and return the latter's result.

    Raise the error of any of them.
    """
    with ThreadPoolExecutor(clients) as pool:
        futures = [pool.submit(work, number) for number in range(clients)]
        result = meanwhile()
        for future in futures:
            future.result()
    return result
