"""Hold the bounds of a video, and the sentences about those that cannot be used."""

import signal
from enum import IntEnum

MOST_SECONDS = 600.0  # that a video may last
MOST_FRAMES = 600  # pictures of one video
MOST_PIXELS = 4096 * 2304  # of a frame; decoders keep up to sixteen of them
MOST_BYTES = 2**30  # of all pictures of one video, while they wait on the disk
DEFAULT_RATE = 1.0  # frames a second

MISSING = (
    "This is a video, not a picture. Videos are read where the extra “video” is installed: "
    "the administrator of the site can do that with “make run EXTRAS=video”."
)
KILLED = "The program that reads videos was stopped. Upload the video again later."


class Trouble(IntEnum):
    """The exit status of the program that reads a video, by what is wrong with the video."""

    DAMAGED = 10
    EMPTY = 11
    TOO_LONG = 12
    TOO_MANY = 13
    TOO_LARGE = 14
    UNUSUAL = 15
    TOO_MUCH = 16


_SENTENCES = {
    Trouble.DAMAGED: "The video is damaged or cut off and cannot be read.",
    Trouble.EMPTY: "There are no pictures in this video.",
    Trouble.TOO_LONG: f"The video is longer than {MOST_SECONDS / 60:.0f} minutes. Cut it into shorter ones.",
    Trouble.TOO_MANY: (
        f"The video would give more than {MOST_FRAMES} pictures. Cut it into shorter ones, or choose fewer frames a"
        " second."
    ),
    Trouble.TOO_LARGE: "The video has more pixels than 4K. Save it smaller.",
    Trouble.UNUSUAL: "The video is coded in an unusual way. Save it as an ordinary MP4 (H.264) or WebM.",
    Trouble.TOO_MUCH: "The pictures of the video are larger than 1 GB together. Cut it into shorter ones.",
}


class VideoRefused(ValueError):
    """The video cannot be used. The message is a sentence for the user."""


def say_trouble(status: int | None) -> str:
    """Return the sentence for an exit status; any that is not ours is a crash, None is a program that took too long."""
    if status is None or status == -signal.SIGXCPU:
        return "Reading this video takes too long. Make it shorter or smaller."
    return _SENTENCES[Trouble(status)] if status in _SENTENCES else "This video crashes the program that reads videos."
