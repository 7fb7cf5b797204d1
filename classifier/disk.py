"""Free space on the data folder's disk: told before it is gone, and kept for the database."""

import errno
import os
import shutil

from django.conf import settings

from ml.errors import Unavailable

RESERVED = 256 * 2**20  # bytes that uploads leave: a database that cannot write stops everything
LOW = 2 * 2**30  # bytes below which the administrator is warned


class DiskFull(Unavailable):
    """There is no room for what somebody wants to bring in. The message is a sentence for the user."""


def free_bytes() -> int:
    """Return the free bytes on the disk of the data folder."""
    return shutil.disk_usage(settings.DATA_DIR).free


def has_room(size: int = 0) -> bool:
    """Return whether so many bytes may be brought in."""
    return free_bytes() - size >= RESERVED


def check_room(size: int) -> None:
    """Check that so many bytes may be brought in. Raise DiskFull."""
    if not has_room(size):
        raise DiskFull("There is not enough room on the disk of this site. The administrator has to make room first.")


def wait_for_room(size: int = 0) -> None:
    """Raise the OSError of a full disk before it is full, so that a job waits and leaves room for the database.

    `size` is how many bytes it is about to write.
    """
    if not has_room(size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def is_low() -> bool:
    """Return whether the administrator has to be warned."""
    return free_bytes() < LOW
