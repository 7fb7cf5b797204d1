"""Turn the videos among the files of an archive, a folder or a request into pictures, all of a video in one group.

A stranger's video is decoded in a process that is confined as those that open networks (`ml.sandbox.confine`), within
limits of time, memory and size; what crashes or hangs it is refused by name, and the others go on. The frames wait on
the disk, not in memory.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from ml.datasets.entries import DEFAULT_LIMITS, ArchiveEntry, ArchiveLimits, ArchiveRejected, show_bytes
from ml.datasets.folder_files import FileListing, list_folder
from ml.datasets.groups import MAX_GROUP_LENGTH, clean_group
from ml.images.sniffing import is_video
from ml.sandbox.child import ChildFailed, ChildKilled, run_child
from ml.sandbox.confine import Limits, bare_environment, confined
from ml.videos.limits import DEFAULT_RATE, KILLED, MISSING, MOST_FRAMES, VideoRefused, say_trouble

_MEMORY = 2 * 2**30  # bytes of data; a decoder of 4K takes half a gigabyte
_LONGEST_NAME = 970  # characters of a video's name before the second
# What the name of every frame of a video but its first ends with; databases know this syntax too.
LATER_FRAME = r"#(?=[0-9.]*[1-9])[0-9]{4,}\.[0-9]{1,2}s$"
_FRAME = re.compile(r"(?P<video>.*)#(?P<second>\d{4,}\.\d\d?)s", re.DOTALL)


@dataclass(frozen=True)
class Sampling:
    """How videos become pictures.

    Attributes:
        rate: frames a second.
        seconds: that all videos may take together, or each of them if `each`.
        max_bytes: of one video; what comes in a request has been cut behind it.
        folder: where frames wait, by default the system's for temporary files.
        alive: called twice a second while a video is read; what it raises ends the reading.
    """

    rate: float = DEFAULT_RATE
    seconds: float = 600.0
    each: bool = True
    max_bytes: int = DEFAULT_LIMITS.max_file_bytes
    folder: Path | None = None
    alive: Callable[[], None] = lambda: None


def can_read_videos() -> bool:
    """Return whether the extra is installed."""
    return find_spec("av") is not None


def with_frames(entries: Iterable[ArchiveEntry], sampling: Sampling, *, skip: int = 0) -> Iterator[ArchiveEntry]:
    """Yield the entries, and in the place of each video its frames; `skip` leaves out the first of the first entry."""
    left = sampling.seconds
    for entry in entries:
        if entry.data is None or not is_video(entry.data):
            yield entry
        else:
            begun = time.monotonic()
            with TemporaryDirectory(dir=sampling.folder, prefix="video-") as folder:
                found = _decode(entry, sampling, Path(folder), left)
                left -= 0 if sampling.each else time.monotonic() - begun
                yield from _entries(entry, found, skip)
        skip = 0


def _decode(entry: ArchiveEntry, sampling: Sampling, folder: Path, seconds: float) -> FileListing | str:
    """Return the frames of a video, or the reason why there are none."""
    try:
        return _list_frames(entry.data or b"", sampling, folder, seconds)
    except (VideoRefused, ArchiveRejected) as error:
        return str(error)


def _entries(entry: ArchiveEntry, found: FileListing | str, skip: int) -> Iterator[ArchiveEntry]:
    if isinstance(found, str):
        yield ArchiveEntry(entry.name, None, None, found)
        return
    group = clean_group(entry.group) or group_of(entry.name)
    for member in found.members[skip:]:
        name = f"{entry.name[:_LONGEST_NAME]}#{member.name.rpartition('.')[0]}s"
        yield ArchiveEntry(name, entry.class_name, found.fetch(member.name), None, entry.split, group)


def group_of(name: str) -> str:
    """Return the group of a video's frames, its path; of a path that is too long or means something else, a hash."""
    if len(name) <= MAX_GROUP_LENGTH and clean_group(name):
        return name
    return f"video {sha256(name.encode(errors='replace')).hexdigest()[:32]}"


def _list_frames(data: bytes, sampling: Sampling, folder: Path, seconds: float) -> FileListing:
    if not can_read_videos():
        raise VideoRefused(MISSING)
    if len(data) > sampling.max_bytes:
        raise VideoRefused(f"The video is larger than {show_bytes(sampling.max_bytes)}. Make it shorter or smaller.")
    if seconds <= 0:
        raise VideoRefused(say_trouble(None))
    video, frames = folder / "video", folder / "frames"
    video.write_bytes(data)
    frames.mkdir()
    _run(video, frames, sampling, seconds)
    # Listed as a stranger's folder: what has taken over the program could have left links, or something huge.
    listed = list_folder(frames, ArchiveLimits(max_entries=MOST_FRAMES))
    if not listed.members or any(member.refusal for member in listed.members):
        raise VideoRefused(say_trouble(-1))
    return listed


def _run(video: Path, frames: Path, sampling: Sampling, seconds: float) -> None:
    # Unlike a network, a video is no program, and pictures are decoded without any confinement.
    limits = Limits(
        reads=(str(video),), writes=(str(frames),), seconds=int(seconds) + 1, memory=_MEMORY, unconfined=True
    )
    module, arguments = confined("ml.videos.decoding", [str(video), str(frames), str(sampling.rate)], limits)
    environment = bare_environment(frames)
    try:
        run_child(
            module,
            arguments,
            folder=video.parent,
            environment=environment,
            seconds=seconds,
            alive=sampling.alive,
        )
    except ChildKilled as error:
        raise VideoRefused(KILLED) from error
    except ChildFailed as error:
        raise VideoRefused(say_trouble(error.status)) from error


def count_files(names: Iterable[str]) -> tuple[int, int]:
    """Return how many files the names in a report stand for, and how many frames of the last one are in it.

    The frames of one video stand for one file. Where in doubt there are fewer files, so that none is ever left out.
    """
    files = frames = 0
    video, second = "", -1.0
    for name in names:
        found = _FRAME.fullmatch(name)
        if found and frames and found["video"] == video and float(found["second"]) > second:
            frames += 1
        else:
            files, frames = files + 1, 1 if found else 0
        video, second = (found["video"], float(found["second"])) if found else ("", -1.0)
    return files, frames
