"""Write the frames of a video as pictures into a folder. A program of its own, because it opens a stranger's file.

    python -m ml.videos.decoding VIDEO FOLDER RATE

The pictures are called by their second, as in `0012.3.jpg`. The exit status is a `Trouble` if the video cannot be used.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml.videos.limits import MOST_BYTES, MOST_FRAMES, MOST_PIXELS, MOST_SECONDS, Trouble

# What phones, cameras and browsers record. Every further decoder would be one more that a stranger can attack.
_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "mjpeg"})
_SMALL = 256 * 256  # pixels up to which a picture is stored as PNG
_JPEG = {"quality": 92, "subsampling": 0}
_TENTHS_SUFFICE = 10.0  # frames a second
_MOST_DECODED = int(MOST_SECONDS * 240)  # frames: of slow motion, or of a video whose times do not go on
_USUAL_RATE = 25.0  # frames a second, of a video that does not say when a frame is due


class Unusable(Exception):
    """The video cannot be used; the argument is the `Trouble`."""


def write_frames(video: Path, folder: Path, rate: float) -> int:
    """Write `rate` frames a second as pictures, and return how many there are. Raise `Unusable`."""
    import av

    count = written = 0
    try:
        with video.open("rb") as file, av.open(file, format=_format_of(file)) as container:
            for second, picture in _choose_frames(_open_stream(container), container, rate):
                count += 1
                if count > MOST_FRAMES:
                    raise Unusable(Trouble.TOO_MANY)
                written += _write(picture, folder, second, rate)
                if written > MOST_BYTES:
                    raise Unusable(Trouble.TOO_MUCH)
    except MemoryError as error:
        raise Unusable(Trouble.TOO_LARGE) from error
    # Over broken bytes PyAV raises all sorts beside its own errors: ValueError, OverflowError, UnicodeDecodeError.
    except (av.error.FFmpegError, ValueError, ArithmeticError, LookupError, TypeError) as error:
        raise Unusable(Trouble.DAMAGED) from error
    if not count:
        raise Unusable(Trouble.EMPTY)
    return count


def _format_of(file: Any) -> str:
    """Return the container by the first bytes; FFmpeg is not left to guess, as it knows a hundred more."""
    head = file.read(12)
    file.seek(0)
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    return "avi" if head.startswith(b"AVI ", 8) else "mov"


def _open_stream(container: Any) -> Any:
    """Return the stream of pictures, ready to be decoded within the limits. Raise `Unusable`."""
    if not container.streams.video:
        raise Unusable(Trouble.EMPTY)
    stream = container.streams.video[0]
    if stream.codec_context is None or stream.codec_context.name not in _CODECS:
        raise Unusable(Trouble.UNUSUAL)
    if stream.codec_context.width * stream.codec_context.height > MOST_PIXELS:
        raise Unusable(Trouble.TOO_LARGE)
    if (container.duration or 0) > MOST_SECONDS * 1_000_000:
        raise Unusable(Trouble.TOO_LONG)
    stream.codec_context.options = {"max_pixels": str(2 * MOST_PIXELS)}  # what is allocated has edges
    return stream


def _choose_frames(stream: Any, container: Any, rate: float) -> Iterator[tuple[float, Any]]:
    """Yield the first frame of each step of 1 / `rate` seconds, with the second at which the step begins."""
    last, begin = -1, None
    for number, frame in enumerate(container.decode(stream)):
        time = frame.time if frame.time is not None else number / float(stream.average_rate or _USUAL_RATE)
        if frame.width * frame.height > MOST_PIXELS:  # the size may change on the way
            raise Unusable(Trouble.TOO_LARGE)
        begin = time if begin is None else begin
        if time - begin > MOST_SECONDS or number > _MOST_DECODED:
            raise Unusable(Trouble.TOO_LONG)
        step = int((time - begin) * rate + 1e-6)
        if step > last and not frame.is_corrupt:
            last = step
            yield step / rate, _upright(frame)


def _upright(frame: Any) -> Any:
    """Return the picture as people see it: phones record sideways and say how to turn it."""
    picture = frame.to_image()
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


def _write(picture: Any, folder: Path, second: float, rate: float) -> int:
    """Write a picture, and return its size in bytes."""
    ending, options = ("png", {}) if picture.width * picture.height <= _SMALL else ("jpg", _JPEG)
    decimals = 1 if rate <= _TENTHS_SUFFICE else 2
    path = folder / f"{second:0{5 + decimals}.{decimals}f}.{ending}"
    picture.save(path, **options)
    return path.stat().st_size


def main(arguments: list[str]) -> int:
    """Write the frames; return the exit status."""
    video, folder, rate = arguments
    try:
        write_frames(Path(video), Path(folder), float(rate))
    except Unusable as error:
        return int(error.args[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
