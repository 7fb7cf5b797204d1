"""TensorFlow for the few networks that LiteRT cannot run: in a confined process of its own, asked through pipes.

    python -m worker.networks.engine GRAPH

Each request is a 32-bit count of bytes and as many, of uint8 pictures (n, S, S, 3); each answer the same with float32
features (n, F). It ends when its input does.
"""

import os
import select
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from worker.confine import bare_environment, confine

SECONDS = 120.0  # for one picture, and for TensorFlow to be loaded
_LENGTH = struct.Struct("<I")
_LONG = 10**7  # seconds of a processor: it serves for as long as its worker does


class EngineFailed(RuntimeError):
    """The message is a sentence for the user."""


class TensorFlowEngine:
    """Behind the interface of an engine. The process starts with the first picture."""

    def __init__(self, graph: Path, *, input_size: int, features: int) -> None:
        self._graph, self.input_size, self.features = graph, input_size, features
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (N, F) of pictures (N, S, S, 3), one after the other. Raises EngineFailed."""
        features = np.empty((len(pictures), self.features), np.float32)
        with self._lock:
            for row, picture in enumerate(pictures):
                features[row] = self._ask(picture)
        return features

    def _ask(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._process is None or self._process.poll() is not None:
            self.close()  # the pipes of the one that ended
            self._process = self._start()
        try:
            _send(self._process.stdin, picture.tobytes())
            answer = _receive(self._process.stdout, SECONDS)
        except OSError:
            answer = b""
        if len(answer) != 4 * self.features:
            self.close()
            raise EngineFailed(
                "The network did not answer a picture. It may need more memory or time than it is given."
            )
        return np.frombuffer(answer, np.float32)

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - our own module and a file of ours
            [sys.executable, "-m", "worker.networks.engine", str(self._graph)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=bare_environment(self._graph.parent),
        )

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()

    def __del__(self) -> None:
        self.close()


def _send(pipe: IO[bytes] | None, data: bytes) -> None:
    assert pipe is not None  # noqa: S101 - for the type checker
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _receive(pipe: IO[bytes] | None, seconds: float) -> bytes:
    """A whole answer; nothing where it does not come in time."""
    assert pipe is not None  # noqa: S101 - for the type checker
    until = time.monotonic() + seconds
    head = _read(pipe, _LENGTH.size, until)
    return _read(pipe, _LENGTH.unpack(head)[0], until) if len(head) == _LENGTH.size else b""


def _read(pipe: IO[bytes], count: int, until: float) -> bytes:
    data = b""
    while len(data) < count:
        ready, _, _ = select.select([pipe], [], [], max(until - time.monotonic(), 0))
        chunk = os.read(pipe.fileno(), count - len(data)) if ready else b""
        if not chunk:
            return b""
        data += chunk
    return data


def serve(graph: Path, source: IO[bytes], target: IO[bytes]) -> None:
    """Answer until there is nothing more to read. Imports TensorFlow."""
    import tensorflow as tf

    from worker.networks.graphs import restore

    look: Any = restore(graph.read_bytes())
    size = int(look.inputs[0].shape[1])
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        pictures = np.frombuffer(source.read(_LENGTH.unpack(head)[0]), np.uint8).reshape(-1, size, size, 3)
        answer = look(tf.constant(pictures, tf.float32)).numpy().astype(np.float32).tobytes()
        _send(target, answer)


if __name__ == "__main__":
    confine(seconds=_LONG)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries print what they like; the pipe is for answers
    serve(Path(sys.argv[1]), sys.stdin.buffer, answers)
