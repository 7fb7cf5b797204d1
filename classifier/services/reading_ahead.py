"""Read picture files in their order, a few at a time and a little before they are wanted: a bucket answers late."""

import hashlib
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from classifier.models import Image
from classifier.models.image import image_path
from classifier.outages import find_outage
from classifier.services.dataset_pictures import Picture
from classifier.services.images import read_file, set_aside

MISSING, DAMAGED = "Its file is missing in the storage.", "Its file in the storage is damaged."
AHEAD, AHEAD_BYTES = 4, 32 * 2**20
PAUSES = (1, 2, 4, 8, 16)  # seconds before a storage that is away is asked again

Read = tuple[Picture, bytes | str]  # the bytes, or why there are none


def read_ahead(pictures: Iterator[Picture | str]) -> Iterator[Read | str]:
    """Yield each picture with its bytes or the reason why it has none; other lines as they come.

    Raise OSError where the storage is away at once, or for longer than half a minute later.
    """
    reader = _Reader()
    try:
        for one in pictures:
            reader.add(one)
            yield from reader.take(AHEAD, AHEAD_BYTES)
        yield from reader.take(0, 0)
    finally:
        reader.close()


class _Reader:
    def __init__(self) -> None:
        self._waiting: deque[tuple[Picture | str, Future[bytes | str] | None]] = deque()
        self._bytes = 0
        self._stopped, self._is_there = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="read")

    def add(self, one: Picture | str) -> None:
        if isinstance(one, str):
            self._waiting.append((one, None))
            return
        self._bytes += one.size
        self._waiting.append((one, self._pool.submit(self._read, one)))

    def take(self, count: int, size: int) -> Iterator[Read | str]:
        """Yield the first ones until no more than so many, of so many bytes, are waiting."""
        while len(self._waiting) > count or (self._waiting and self._bytes > size):
            one, future = self._waiting.popleft()
            if isinstance(one, str) or future is None:
                yield str(one)
                continue
            found = future.result()
            self._bytes -= one.size
            if isinstance(found, str) and one.damaged_at is None:
                set_aside(Image(pk=one.image_id, sha256=one.sha256))
            yield one, found

    def close(self) -> None:
        self._stopped.set()
        self._pool.shutdown(cancel_futures=True)

    def _read(self, picture: Picture) -> bytes | str:
        try:
            data = self._read_patiently(picture)
        except OSError as error:
            if find_outage(error):
                raise
            return MISSING
        self._is_there.set()
        return data if hashlib.sha256(data).hexdigest() == picture.sha256 else DAMAGED

    def _read_patiently(self, picture: Picture) -> bytes:
        """Read the file; once the storage has answered, wait for it where it is away."""
        for pause in PAUSES:
            try:
                return read_file(image_path(picture.sha256))
            except OSError as error:
                if not find_outage(error) or not self._is_there.is_set() or self._stopped.wait(pause):
                    raise
        return read_file(image_path(picture.sha256))
