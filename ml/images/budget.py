"""How much memory the whole machine may spend on decoding pictures at one time.

A file of 36 bytes may claim a hundred million pixels, and some formats need many bytes for each. Small pictures are
decoded freely; of the large ones a machine decodes one at a time, whichever process or thread it is in.
"""

import contextlib
import fcntl
import math
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from ml.errors import Unavailable
from ml.images.formats import bytes_per_pixel, known_name
from ml.images.jpeg_scans import coefficient_bytes

FREE_BYTES = 128 * 2**20  # a picture that takes no more than this needs no turn
MAX_BYTES = 2**30  # of one picture
_EVERY = 0.05  # seconds
_chosen: list[str] = []


class TooBusy(Unavailable):
    """Other large pictures are being decoded. The message is a sentence for the user."""

    def __init__(self) -> None:
        super().__init__("The site is busy with other large pictures. Please try again in a moment.")


class NoBudget(Unavailable):
    """It cannot be known what else is being decoded. The message is a sentence for the user."""

    def __init__(self) -> None:
        super().__init__("Large pictures cannot be read at the moment. Please try again later.")


def estimate_bytes(picture: Image.Image, stored: tuple[int, int]) -> int:
    """Return about how many bytes decoding takes.

    Args:
        picture: opened, and drafted to the size it is decoded at.
        stored: the size it has in the file.
    """
    if known_name(picture.format) != "JPEG":
        return stored[0] * stored[1] * bytes_per_pixel(picture.format)
    width, height = picture.size
    return width * height * bytes_per_pixel(picture.format) + coefficient_bytes(picture, stored)


def max_pixels(format: str | None) -> int:
    """Return how many pixels a picture of this format may have within the budget of one picture."""
    return MAX_BYTES // bytes_per_pixel(format)


@contextmanager
def decoding_turn(needed: int, *, wait_seconds: float = math.inf) -> Iterator[None]:
    """Wait until so many bytes may be used for decoding. Raise TooBusy after `wait_seconds`."""
    if needed <= FREE_BYTES:
        yield
        return
    # The system gives the lock back when a process dies. Opened anew each time: threads wait for each other too.
    try:
        handle = open_lock()
    except OSError as error:
        raise NoBudget from error
    try:
        until = time.monotonic() + wait_seconds
        while not _locks(handle):
            if time.monotonic() > until:
                raise TooBusy
            time.sleep(_EVERY)
        yield
    finally:
        os.close(handle)


def lock_path() -> str:
    """Return the file whose lock is the turn: the first of its names that nobody else has taken."""
    if _chosen:
        return _chosen[-1]
    start = os.path.join(tempfile.gettempdir(), f"poetsweb-{os.getuid()}-decoding")
    paths = [f"{start}.lock", *(f"{start}-{number}.lock" for number in range(2, 10))]
    return next(filter(_is_ours, paths), paths[0])


def _is_ours(path: str) -> bool:
    """Return whether it is a file of ours, or not there yet. Who owns it could hold its lock for ever."""
    try:
        found = os.lstat(path)
    except OSError:
        return True
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()


def use_lock(path: str) -> None:
    """Use this file, in a process that cannot find it: one that is confined knows neither the folder nor its user."""
    _chosen[:] = [path]


def open_lock() -> int:
    """Return a descriptor of that file, which is ours alone and is made if it is missing."""
    return os.open(lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _locks(handle: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
