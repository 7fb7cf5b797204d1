"""An inference server: a process that reads one picture at a time, for whichever process asks.

Pictures come from strangers, and a decoder may have a hole. What crashes it ends this process and nobody's request but
its own, and what takes it over finds no secrets, no network and no files but the converted backbones.

    python -m ml.serving.server LOCK QUEUE BUSY SLOT THREADS

LOCK is the file of `ml.images.budget`, which a confined process cannot find by itself. QUEUE and BUSY are descriptors:
of the queue of connections, and of the memory that `BusyTimes` shares. The process ends with the one that started it,
whose end closes its input.
"""

import contextlib
import functools
import json
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.engines.litert import Adapter
from ml.errors import UserError
from ml.images.budget import TooBusy, use_lock
from ml.images.decoding import ImageLimits, ImageRejected
from ml.images.rendering import Framing
from ml.serving.busy import STALE_SECONDS, BusyTimes
from ml.serving.inference import LocalInference, Network, Overlay
from ml.serving.messages import Disconnected, dequeue, receive, send

# What an answer is; anything else is a fault of ours, whose text is for the log.
GOOD, REJECTED, BUSY, FAULT = b"good", b"rejected", b"busy", b"fault"
SHAPE = struct.Struct("<3I")  # of a feature map, before its numbers
SECONDS = struct.Struct("<2f")  # of decoding and of the network, before features


def serve(queue: socket.socket, busy: BusyTimes, slot: int, threads: int) -> None:
    """Answer one connection after the other."""
    inference = LocalInference(lambda: threads if busy.alone(slot) else 1)
    while True:
        ticket, connection = dequeue(queue)
        with connection, contextlib.suppress(Disconnected, ConnectionError):
            busy.begin(slot, ticket)
            signal.setitimer(signal.ITIMER_REAL, STALE_SECONDS)  # whatever it hangs in, the system ends it
            send(connection, *answer(inference, *receive(connection)))
        signal.setitimer(signal.ITIMER_REAL, 0)
        busy.end(slot)


def answer(inference: LocalInference, question: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Return the kind of the answer, and the answer."""
    try:
        call, arguments = _parse_question(question)
        return GOOD, call(inference, data, **arguments)
    except ImageRejected as error:
        return REJECTED, str(error).encode()
    except TooBusy:
        return BUSY, b""
    except Exception as error:  # whatever it is, the next picture may be fine
        told = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        return FAULT, told[:1000].encode()


def _verify(inference: LocalInference, data: bytes, limits: ImageLimits) -> bytes:
    return json.dumps(asdict(inference.verify(data, limits))).encode()


def _thumbnail(inference: LocalInference, data: bytes, size: int, limits: ImageLimits) -> bytes:
    return inference.thumbnail(data, size, limits)


def _pixels(inference: LocalInference, data: bytes, size: int, limits: ImageLimits, framing: Framing) -> bytes:
    return inference.pixels(data, size, limits, framing).tobytes()


def _features(inference: LocalInference, data: bytes, network: Network, limits: ImageLimits) -> bytes:
    found, decoding, running = inference.timed_features(data, network, limits)
    return SECONDS.pack(decoding, running) + found.tobytes()


def _feature_map(inference: LocalInference, data: bytes, network: Network, limits: ImageLimits) -> bytes:
    found = inference.feature_map(data, network, limits)
    return SHAPE.pack(*found.shape) + found.tobytes()


def _overlay(
    inference: LocalInference,
    data: bytes,
    warmth: NDArray[np.float32],
    size: int,
    framing: Framing,
    kind: str,
    limits: ImageLimits,
) -> bytes:
    return inference.overlay(data, warmth, size, Overlay(framing, kind, limits))


_CALLS: dict[str, Callable[..., bytes]] = {
    "verify": _verify,
    "thumbnail": _thumbnail,
    "pixels": _pixels,
    "features": _features,
    "feature_map": _feature_map,
    "overlay": _overlay,
}


def _network(told: dict[str, Any]) -> Network:
    return Network(Path(told["file"]), Adapter(**told["adapter"]), Framing(told["framing"]))


def _limits(told: dict[str, Any]) -> ImageLimits:
    return ImageLimits(**told, wait_seconds=0)  # who asks waits: a server that did would keep others waiting


_PARSERS: dict[str, Callable[[Any], Any]] = {  # of the arguments that are more than numbers and words
    "framing": Framing,
    "limits": _limits,
    "network": _network,
    "warmth": lambda told: np.array(told, np.float32),
}


@functools.lru_cache(maxsize=64)  # nearly every picture comes with the same question
def _parse_question(question: bytes) -> tuple[Callable[..., bytes], dict[str, Any]]:
    told = json.loads(question)
    call = _CALLS[told.pop("call")]
    return call, {name: _PARSERS[name](value) if name in _PARSERS else value for name, value in told.items()}


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Serve until the input ends."""
    lock, *numbers = arguments
    queue, busy, slot, threads = map(int, numbers)
    use_lock(lock)
    threading.Thread(target=_end_with_input, daemon=True).start()
    serve(socket.socket(fileno=queue), BusyTimes(busy), slot, threads)


if __name__ == "__main__":
    main(sys.argv[1:])
