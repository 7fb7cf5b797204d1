"""Run strangers' networks in a confined process of their own, which is asked through pipes.

Even a file that behaved well when it was opened may crash, or never finish, with another picture.

    python -m ml.engines.confined FILE SIZE tensorflow ADAPTER
    python -m ml.engines.confined FILE SIZE litert THREADS ADAPTER

FILE is a graph in our form (see `ml.model_import.graphs`), or a .tflite file; ADAPTER is its Adapter as JSON, of which
TensorFlow takes what concerns the input. Each request is a 32-bit byte count and as many bytes of uint8 pictures
(n, S, S, 3); each answer is the same with float32 features (n, F). The process ends when its input does.
"""

import contextlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ml.backbones.spec import LITERT, TENSORFLOW
from ml.engines.litert import AS_IT_IS, Adapter, LiteRTEngine
from ml.errors import Unavailable
from ml.images.rendering import Framing
from ml.sandbox.confine import Limits, bare_environment, confined, why_unconfined

SECONDS = 120.0  # for one picture, and for what runs it to be loaded
_LENGTH = struct.Struct("<I")
_LONG = 10**7  # seconds of processor time: it serves as long as its worker does


class EngineFailed(Unavailable):
    """The network did not answer. The message is a sentence for the user."""


class ConfinedEngine:
    """An engine whose network runs in a confined process, which is started for the first picture.

    `how` contains the last arguments of the program, which `in_tensorflow` and `in_litert` make;
    `unconfined` lets it run where the system cannot confine it.
    """

    def __init__(
        self,
        file: Path,
        how: Sequence[str],
        *,
        input_size: int,
        features: int,
        framing: Framing = Framing.WHOLE,
        unconfined: bool = False,
    ) -> None:
        self._file, self._how, self._unconfined = file, how, unconfined
        self.input_size, self.features, self.framing = input_size, features, framing
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features (N, F) of pictures (N, S, S, 3), computed one after the other.

        Raise `EngineFailed` if the process crashes, does not answer in time, or may not run because it is not confined.
        """
        features = np.empty((len(pictures), self.features), np.float32)
        with self._lock:
            for row, picture in enumerate(pictures):
                features[row] = self._ask(picture)
        return features

    def _ask(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._process is None or self._process.poll() is not None:
            self.close()  # closes the pipes of the process that ended
            self._process = self._start()
        watch = threading.Timer(SECONDS, self._process.kill)
        watch.start()
        try:
            _send(self._process.stdin, picture.tobytes())
            answer = _receive(self._process.stdout, 4 * self.features)
        except OSError:
            answer = b""
        finally:
            watch.cancel()
        if len(answer) != 4 * self.features:
            status = self.close()
            raise EngineFailed(
                why_unconfined(status)
                or "The network did not process a picture. It may need more memory or time than is allowed."
            )
        return np.frombuffer(answer, np.float32)

    def _start(self) -> "subprocess.Popen[bytes]":
        # It ends when its pipe is closed, not with the thread that happens to ask first.
        self._scratch = tempfile.TemporaryDirectory(prefix="poetsweb-network-")
        limits = Limits(
            reads=(str(self._file),),
            writes=(self._scratch.name,),
            seconds=_LONG,
            tied=False,
            unconfined=self._unconfined,
        )
        module, arguments = confined("ml.engines.confined", [str(self._file), str(self.input_size), *self._how], limits)
        return subprocess.Popen(  # noqa: S603 - our own module and a file of ours
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=bare_environment(Path(self._scratch.name)),
        )

    def close(self) -> int | None:
        """Stop the process and delete its scratch folder. Return the status that the process has ended with."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with contextlib.suppress(OSError):  # for data that can no longer be sent
                        pipe.close()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None
        return process.returncode if process else None

    def __del__(self) -> None:
        self.close()


def _send(pipe: IO[bytes] | None, data: bytes) -> None:
    assert pipe is not None  # noqa: S101 - for the type checker
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _receive(pipe: IO[bytes] | None, expected: int) -> bytes:
    """Return an answer of exactly `expected` bytes, or nothing if it has another length."""
    assert pipe is not None  # noqa: S101 - for the type checker
    head = pipe.read(_LENGTH.size)
    return pipe.read(expected) if head == _LENGTH.pack(expected) else b""


def in_tensorflow(adapter: Adapter = AS_IT_IS) -> list[str]:
    """Return the arguments for one of the few networks that LiteRT cannot run."""
    return [TENSORFLOW, json.dumps(asdict(adapter))]


def in_litert(threads: int, adapter: Adapter) -> list[str]:
    """Return the arguments for a network that LiteRT runs."""
    return [LITERT, str(threads), json.dumps(asdict(adapter))]


def _load(file: Path, engine: str, *how: str) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Return a function from pictures (n, S, S, 3) to features (n, F). Import TensorFlow if that is the engine."""
    *threads, text = how
    adapter = Adapter(**json.loads(text))
    if engine == LITERT:
        return LiteRTEngine(file, threads=int(threads[0]), adapter=adapter).embed
    import tensorflow as tf

    from ml.backbones.frozen_graphs import restore

    look: Any = restore(file.read_bytes())
    return lambda pictures: look(tf.constant(pictures * adapter.scale + adapter.offset, tf.float32)).numpy()


def serve(arguments: Sequence[str], source: IO[bytes], target: IO[bytes]) -> None:
    """Answer requests until the input ends."""
    file, size, *how = arguments
    embed, shape = _load(Path(file), *how), (-1, int(size), int(size), 3)
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        pictures = np.frombuffer(source.read(_LENGTH.unpack(head)[0]), np.uint8).reshape(shape)
        _send(target, embed(pictures).astype(np.float32).tobytes())


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries may print anything; the pipe is for answers only
    serve(sys.argv[1:], sys.stdin.buffer, answers)
