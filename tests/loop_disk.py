"""A disk of its own for a data folder: a file system in a file, which is mounted where root may do that."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def can_mount(folder: Path) -> bool:
    """Return whether this system lets us mount a file: root, with loop devices and ext4."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ext4", "mount", "umount"))):
        return False
    image = make_disk(folder / "probe.img", 2**25)
    return subprocess.run(["umount", _mount(image, folder / "probe")], check=False, capture_output=True).returncode == 0


def make_disk(path: Path, size: int) -> Path:
    """Make a file with an empty file system of so many bytes, none of them kept for root."""
    with path.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", path], check=True)
    return path


def _mount(image: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=False, capture_output=True)
    return folder


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """Mount the file at the folder."""
    _mount(image, folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Let a file take all the room on the folder's disk."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(shutil.disk_usage(folder).free - 2**16, 1))
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write in the folder, as a disk that has had an error."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
