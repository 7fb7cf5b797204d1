"""Ask the inference servers about pictures, first come first served among all processes that ask."""

import contextlib
import functools
import hashlib
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.errors import Unavailable
from ml.images.budget import TooBusy
from ml.images.decoding import DEFAULT_LIMITS, ImageFacts, ImageLimits, ImageRejected
from ml.images.formats import FORMATS
from ml.images.isolated import CRASHES
from ml.images.rendering import Framing
from ml.serving.askers import Places, current_asker
from ml.serving.busy import STALE_SECONDS, BusyTimes
from ml.serving.inference import Network, Overlay
from ml.serving.messages import Disconnected, enqueue, receive, receive_some, send
from ml.serving.server import BUSY, GOOD, REJECTED, SECONDS, SHAPE
from ml.serving.stages import DECODE, NETWORK, WAIT, tell_stage

TURN_SECONDS = 10.0  # after which somebody is told to come again
ANSWER_SECONDS = STALE_SECONDS + 15  # by then the server has been ended
MAX_ANSWER = 64 * 2**20  # bytes; a square of 4,000 pixels has fewer
BUSY_SECONDS = 0.1  # between two questions about a large picture
LARGE_WAITING = 2  # of those at a time in a process, each of somebody else
AGAIN_SECONDS = 5.0  # a server that ends sooner may have ended for another reason than the picture

_TICKETS = count(1)

log = logging.getLogger(__name__)


class NoTurn(Unavailable):
    """No inference server was free in time. The message is a sentence for the user."""

    def __init__(self) -> None:
        super().__init__("The site is busy with other pictures. Please try again in a moment.")


class RemoteInference:
    """Inference by servers, through the queue that they take from."""

    def __init__(self, queue: socket.socket, busy: int) -> None:
        """Ask the servers that take from this queue, and share this memory, a descriptor for `BusyTimes`."""
        self._queue, self._busy = queue, BusyTimes(busy)
        self._places = Places(LARGE_WAITING)

    def verify(self, data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> ImageFacts:
        """Do what `verify_image` does."""
        facts = ImageFacts(**json.loads(self._ask(data, limits, _question("verify", limits))))
        # The digest decides what the file replaces, and pages trust the rest: no server that has been taken over
        # chooses them.
        if facts.format not in FORMATS or not 0 < int(facts.width) * int(facts.height) <= limits.max_pixels:
            raise RuntimeError("An inference server told impossible facts about a picture.")
        width, height, sha256 = int(facts.width), int(facts.height), hashlib.sha256(data).hexdigest()
        return ImageFacts(sha256, width, height, facts.format, len(data))

    def thumbnail(self, data: bytes, size: int, limits: ImageLimits = DEFAULT_LIMITS) -> bytes:
        """Do what `make_thumbnail` does."""
        return self._ask(data, limits, _question("thumbnail", limits, size=size))

    def pixels(
        self, data: bytes, size: int, limits: ImageLimits = DEFAULT_LIMITS, framing: Framing = Framing.WHOLE
    ) -> NDArray[np.uint8]:
        """Do what `load_picture` does."""
        found = self._ask(data, limits, _question("pixels", limits, size=size, framing=framing))
        return np.frombuffer(found, np.uint8).reshape(size, size, 3)

    def features(self, data: bytes, network: Network, limits: ImageLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
        """Return the float32 features (F,) of the picture."""
        begun = time.perf_counter()
        found = self._ask(data, limits, _network_question("features", limits, network))
        decoding, running = SECONDS.unpack_from(found)
        tell_stage(DECODE, decoding)
        tell_stage(NETWORK, running)
        tell_stage(WAIT, time.perf_counter() - begun - decoding - running)
        return np.frombuffer(found, np.float32, offset=SECONDS.size)

    def feature_map(self, data: bytes, network: Network, limits: ImageLimits = DEFAULT_LIMITS) -> NDArray[np.float32]:
        """Return the float32 features (H, W, F) at the places of the picture."""
        found = self._ask(data, limits, _network_question("feature_map", limits, network))
        return np.frombuffer(found, np.float32, offset=SHAPE.size).reshape(SHAPE.unpack_from(found))

    def overlay(self, data: bytes, warmth: NDArray[np.float32], size: int, how: Overlay) -> bytes:
        """Do what `make_overlay` does."""
        told = {"framing": how.framing, "kind": how.kind, "warmth": warmth.tolist()}
        return self._ask(data, how.limits, _question("overlay", how.limits, size=size, **told))

    def _ask(self, data: bytes, limits: ImageLimits, question: bytes) -> bytes:
        with contextlib.suppress(TooBusy):
            return self._ask_twice(data, question)
        if not limits.wait_seconds:
            raise TooBusy
        # Many at once must not keep all threads of a site waiting: few wait, others are told to come again.
        with self._places.take(current_asker()()):
            return self._ask_until(data, question, time.monotonic() + limits.wait_seconds)

    def _ask_until(self, data: bytes, question: bytes, until: float) -> bytes:
        """Ask again and again while another large picture is being decoded on this machine. Raise TooBusy."""
        while True:
            time.sleep(BUSY_SECONDS)
            try:
                return self._ask_twice(data, question)
            except TooBusy:
                if time.monotonic() > until:
                    raise

    def _ask_twice(self, data: bytes, question: bytes) -> bytes:
        begun = time.monotonic()
        for _ in range(2):
            try:
                return _unpack(*self._ask_once(question, data))
            except (Disconnected, ConnectionError, TimeoutError):
                log.warning("An inference server ended over a picture of %d bytes.", len(data))
            if time.monotonic() - begun > AGAIN_SECONDS:
                break
        raise ImageRejected(CRASHES)

    def _ask_once(self, question: bytes, data: bytes) -> tuple[bytes, bytes]:
        """Return the kind of the answer, and the answer. Raise NoTurn; Disconnected and others if the server ends."""
        ticket = _new_ticket()
        self._queue.settimeout(TURN_SECONDS)  # who gave up stays in it until a server meets them, so it may be full
        with _timeout_means_no_turn():
            connection = enqueue(self._queue, ticket)
        with connection:
            connection.settimeout(TURN_SECONDS)
            with _timeout_means_no_turn():
                send(connection, question, data)  # before the turn: the server need not wait for what the buffer holds
                begun = self._await_turn(connection, ticket)
            connection.settimeout(ANSWER_SECONDS)
            return receive(connection, most=MAX_ANSWER, begun=begun)

    def _await_turn(self, connection: socket.socket, ticket: int) -> bytes:
        """Return the first bytes of the answer; none if the turn has come, and the answer takes longer."""
        try:
            return receive_some(connection)
        except TimeoutError:
            if self._busy.has_begun(ticket):
                return b""
            raise


@functools.lru_cache(maxsize=64)  # the same for nearly every picture
def _network_question(call: str, limits: ImageLimits, network: Network) -> bytes:
    told = {"file": str(network.file), "adapter": asdict(network.adapter), "framing": network.framing}
    return _question(call, limits, network=told)


def _question(call: str, limits: ImageLimits, **arguments: Any) -> bytes:
    """Return what the server is to do with the picture, without how long the one who asks can wait."""
    told = {name: value for name, value in asdict(limits).items() if name != "wait_seconds"}
    return json.dumps({"call": call, "limits": told, **arguments}).encode()


@contextlib.contextmanager
def _timeout_means_no_turn() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise NoTurn from None


def _new_ticket() -> int:
    """Return a number that no other question of this machine has now."""
    return os.getpid() << 32 | next(_TICKETS) & 0xFFFFFFFF


def _unpack(kind: bytes, answer: bytes) -> bytes:
    if kind == GOOD:
        return answer
    if kind == BUSY:
        raise TooBusy
    text = answer.decode(errors="replace")
    if kind == REJECTED:
        raise ImageRejected(text)
    raise RuntimeError(f"An inference server failed: {text}")
