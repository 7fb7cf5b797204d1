"""Read picture files in their order, a little before they are wanted: a bucket answers late.

Each thread reads several, one after the other: to hand one over takes as long as to read it.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, takewhile

from classifier.models import Image
from classifier.models.image import image_path
from classifier.outages import find_outage
from classifier.services.dataset_pictures import Picture
from classifier.services.images import read_file, set_aside

MISSING, DAMAGED = "Its file is missing in the storage.", "Its file in the storage is damaged."
TOGETHER, TOGETHER_BYTES = 8, 2**20  # pictures that one thread reads in a row; no more after so many bytes
AHEAD, AHEAD_BYTES = 4, 32 * 2**20  # such parts that are read before they are wanted, and their bytes
PAUSES = (1, 2, 4, 8, 16)  # seconds before a storage that is away is asked again

Listed = Picture | str
Read = tuple[Picture, bytes | str]  # the bytes, or why there are none


def read_ahead(pictures: Iterator[Listed]) -> Iterator[Read | str]:
    """Yield each picture with its bytes or the reason why it has none; other lines as they come.

    Raise OSError where the storage is away at once, or for longer than half a minute later.
    """
    reader = _Reader()
    try:
        for part in _parts(pictures):
            reader.add(part)
            yield from reader.take(AHEAD, AHEAD_BYTES)
        yield from reader.take(0, 0)
    finally:
        reader.close()


def _parts(pictures: Iterator[Listed]) -> Iterator[list[Listed]]:
    """Cut the list into what is read together; the first picture comes alone, as somebody waits for it."""
    yield list(islice(pictures, 1))
    part: list[Listed] = []
    for one in pictures:
        part.append(one)
        if len(part) == TOGETHER or _bytes_of(part) >= TOGETHER_BYTES:
            yield part
            part = []
    yield part


def _bytes_of(part: list[Listed]) -> int:
    return sum(one.size for one in part if isinstance(one, Picture))


class _Reader:
    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Future[list[Read | str]]]] = deque()
        self._bytes = 0
        self._stopped, self._is_there = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="read")

    def add(self, part: list[Listed]) -> None:
        size = _bytes_of(part)
        self._bytes += size
        self._waiting.append((size, self._pool.submit(self._read_part, part)))

    def take(self, count: int, size: int) -> Iterator[Read | str]:
        """Yield the first ones until no more than so many parts, of so many bytes, are waiting."""
        while len(self._waiting) > count or (self._waiting and self._bytes > size):
            bytes_of_part, future = self._waiting.popleft()
            found = future.result()
            self._bytes -= bytes_of_part
            for one in found:
                _note_damage(one)
                yield one

    def close(self) -> None:
        self._stopped.set()
        self._pool.shutdown(cancel_futures=True)

    def _read_part(self, part: list[Listed]) -> list[Read | str]:
        wanted = takewhile(lambda _: not self._stopped.is_set(), part)
        return [one if isinstance(one, str) else (one, self._read(one)) for one in wanted]

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


def _note_damage(one: Read | str) -> None:
    """Set a picture aside that has no whole file, if nobody knew that yet."""
    if isinstance(one, str):
        return
    picture, data = one
    if isinstance(data, str) and picture.damaged_at is None:
        set_aside(Image(pk=picture.image_id, sha256=picture.sha256))
