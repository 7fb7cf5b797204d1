"""Extract features on a worker, for the few backbones that only TensorFlow can run: the web has none.

Pictures and features go through Redis, for a minute at most; nothing is kept.
"""

import functools
import uuid

import numpy as np
import redis
from django.conf import settings
from kombu.exceptions import OperationalError
from numpy.typing import NDArray

from ml.backbones.backbone import Backbone
from ml.errors import Unavailable

TASK = "worker.extract_features"
SECONDS = 30  # a worker may be busy with a part of another job
AT_ONCE = 8  # pictures in a message
NUMBERS, SENTENCE = b"n", b"s"  # what an answer begins with: a sentence may be as long as a row of numbers


class WorkerAbsent(Unavailable):
    """The message is a sentence for the user."""


@functools.cache
def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.CACHE_URL, socket_timeout=SECONDS + 5, socket_connect_timeout=2)


class WorkerEngine:
    """Behind the interface of an engine: each call is a message to whichever worker is free."""

    def __init__(self, backbone: Backbone) -> None:
        self.name, self.input_size, self.features = backbone.name, backbone.input_size, backbone.features
        self.framing = backbone.framing

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return features (N, F) of pictures (N, S, S, 3). Raise WorkerAbsent."""
        parts = [pictures[start : start + AT_ONCE] for start in range(0, len(pictures), AT_ONCE)]
        return np.concatenate([np.empty((0, self.features), np.float32), *map(self._ask, parts)])

    def _ask(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        from poetsweb.celery import app

        key = f"poetsweb:ask:{uuid.uuid4().hex}"
        try:
            _redis().set(key, pictures.tobytes(), ex=SECONDS)
            app.send_task(TASK, [self.name, key], queue="embed", expires=SECONDS, retry=False)
            answer = _redis().blpop([f"{key}:answer"], timeout=SECONDS)
        except (redis.RedisError, OperationalError, OSError):
            answer = None
        if not answer:
            raise WorkerAbsent(
                f"No worker answered within {SECONDS} seconds. The backbone of this version only runs on workers; "
                "they may be busy, or none may be running."
            )
        return _unpack(bytes(answer[1]), len(pictures), self.features)  # type: ignore[arg-type]


def _unpack(answer: bytes, count: int, features: int) -> NDArray[np.float32]:
    kind, content = answer[:1], answer[1:]
    if kind != NUMBERS or len(content) != 4 * count * features:
        raise WorkerAbsent(content.decode(errors="replace")[:300])
    return np.frombuffer(content, np.float32).reshape(count, features)


def take_pictures(key: str, input_size: int) -> NDArray[np.uint8] | None:
    """Return the pictures that a web process asks about, for the worker; None if it no longer waits."""
    data = _redis().getdel(key)
    return None if data is None else np.frombuffer(data, np.uint8).reshape(-1, input_size, input_size, 3)  # type: ignore[arg-type]


def return_features(key: str, answer: NDArray[np.float32] | str) -> None:
    """Send the features, or a sentence that says why there are none, for the worker."""
    data = SENTENCE + answer.encode() if isinstance(answer, str) else NUMBERS + answer.astype(np.float32).tobytes()
    with _redis().pipeline() as pipeline:
        pipeline.rpush(f"{key}:answer", data)
        pipeline.expire(f"{key}:answer", SECONDS)
        pipeline.execute()
