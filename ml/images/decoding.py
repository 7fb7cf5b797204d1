"""Decode bytes to pictures. No other module does.

Training, the web form, the APIs and batch prediction all see a picture through `load_picture`. It returns the picture a
person would expect, upright, in 8-bit RGB:

| in the file              | result                                                                          |
|--------------------------|---------------------------------------------------------------------------------|
| EXIF orientation 1-8     | rotated and mirrored accordingly; an invalid one is ignored                     |
| transparency of any kind | laid on white                                                                   |
| grey, black and white    | the same grey in R, G and B                                                     |
| palette                  | its colours                                                                     |
| 16-bit grey              | 0..65535 -> 0..255, or 0..4095 etc. where all values fit the fewer bits of a    |
|                          | camera (8, 10, 12 or 14); never clipped                                         |
| 32-bit integer grey      | as 16-bit if all values fit 0..65535, else its min..max -> 0..255               |
| floating point grey      | 0..1 -> 0..255 if all values fit, else its min..max -> 0..255; NaN is black     |
| 16-bit RGB               | the upper 8 bits                                                                |
| CMYK, YCCK, YCbCr        | converted without a profile; CMYK in JPEG is taken as inverted, as Adobe writes |
|                          | it and browsers read it                                                         |
| LAB                      | refused                                                                         |
| animation, several pages | the first frame or page                                                         |
| ICC profile              | ignored: phones and browsers that run an exported model have only the plain     |
|                          | pixels, and the features must be the same there as here                         |

`docs/picture-policy.md` says the same to users. The picture is squashed to a square, as in TensorFlow for Poets, so
that all of it is seen, whatever its proportions.

All functions are thread-safe: they keep no state, and the decoders and the resizer release the GIL.
"""

import hashlib
import io
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from ml.errors import Refused, Unavailable
from ml.images.budget import decoding_turn, estimate_bytes, max_pixels
from ml.images.dicom import DicomRefused
from ml.images.formats import FORMATS, READ, bytes_per_pixel, known_name
from ml.images.jpeg_ends import has_end, with_end
from ml.images.jpeg_scans import has_several_scans
from ml.images.modes import READABLE_MODES, Size, scale_transparency_key, to_rgb
from ml.images.rendering import Framing, draft, draft_square, make_square, orientation_of, turn_upright, turned
from ml.images.sniffing import describe_non_picture
from ml.images.unusual import DAMAGED, why_not_opened, why_refused

# Bump whenever the output of `load_picture` may change for any picture: embeddings are cached by this number.
# 1: first version.
# 2: deep grey is scaled by the depth that its values need, not by that of the file; more formats.
PREPROCESSING_VERSION = 2

CUT_OFF = "The picture is cut off: only part of it could be read."

# An ordinary progressive JPEG has about ten scans. Each costs a walk over the whole picture however few bytes
# it holds, so that thousands in a small file would keep a worker busy for hours.
_MAX_JPEG_SCANS = 200
_START_OF_SCAN = b"\xff\xda"

_PNG_BIT_DEPTH_AT = 24


class ImageRejected(Refused):
    """These bytes cannot be used as a picture. The message is a plain sentence for the user."""


class PictureUnreadable(Refused):
    """One of many stored pictures cannot be read. `sha256` says which one; the message says why."""

    def __init__(self, sha256: str, reason: object) -> None:
        super().__init__(str(reason))
        self.sha256 = sha256


@dataclass(frozen=True)
class ImageLimits:
    """The limits on a picture's file size and pixel count."""

    max_bytes: int = 50 * 2**20
    # Checked in the header, before anything is decoded; formats that take much memory have lower limits, see `budget`.
    # Cannot be raised past MAX_IMAGE_PIXELS below.
    max_pixels: int = 100_000_000
    wait_seconds: float = math.inf  # for a turn to decode a large picture


DEFAULT_LIMITS = ImageLimits()

# Both are set once, for the process. Pillow's own guard sees what we cannot, such as the frames of a GIF: it
# warns from this many pixels on and refuses twice as many. Its warnings about EXIF do not belong in our log.
Image.MAX_IMAGE_PIXELS = DEFAULT_LIMITS.max_pixels
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class ImageFacts:
    """The facts about a picture that has been decoded successfully."""

    sha256: str  # of the bytes as they came, hexadecimal
    width: int  # upright, in pixels: after EXIF orientation
    height: int
    format: str  # a name in ml.images.formats.FORMATS
    size: int  # in bytes


def verify_image(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> ImageFacts:
    """Decode all of `data`, as cheaply as possible, and return the facts about the picture.

    `load_picture` and `make_thumbnail` can load whatever this accepts. Raise `ImageRejected` for anything else.
    """
    with _plain_words(data, limits):
        picture = _open(data, limits)
        stored = picture.size
        # An eighth of the size in grey still reads every bit of a JPEG's coded data, at half the cost.
        # Other formats ignore it.
        picture.draft("L", (max(1, stored[0] // 8), max(1, stored[1] // 8)))
        try:
            _decode_in_turn(picture, data, stored, limits)
        except OSError:  # a lossless JPEG cannot be read at a fraction of its size
            picture = _open(data, limits)
            _decode_in_turn(picture, data, stored, limits)
        width, height = turned(stored, orientation_of(picture))
        return ImageFacts(hashlib.sha256(data).hexdigest(), width, height, known_name(picture.format), len(data))


def load_picture(
    data: bytes, size: int, limits: ImageLimits = DEFAULT_LIMITS, framing: Framing = Framing.WHOLE
) -> npt.NDArray[np.uint8]:
    """Load a picture as a backbone sees it; no other function does this.

    Return uint8 RGB of shape (size, size, 3), read-only: the picture, upright, as a square: by default all of it,
    squashed (bilinear, antialiased). Raise `ImageRejected` if the bytes are no readable picture.
    """
    with _plain_words(data, limits):
        picture = _open(data, limits)
        stored = picture.size
        draft_square(picture, size, framing)
        with decoding_turn(estimate_bytes(picture, stored), wait_seconds=limits.wait_seconds):
            _decode(picture, data, limits)
            return np.asarray(make_square(picture, size, framing))


def make_thumbnail(data: bytes, size: int, limits: ImageLimits = DEFAULT_LIMITS) -> bytes:
    """Return a JPEG of the upright picture that fits into size x size pixels, never enlarged, without metadata.

    It is a JPEG because WebP takes ten times as long to write. Raise `ImageRejected` if the bytes are no readable
    picture.
    """
    picture = render_to_fit(data, size, limits)
    # Pillow carries over what it has read beside the pixels and would write some of it: comment, profile.
    picture.info = {}
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def render_to_fit(data: bytes, size: int, limits: ImageLimits = DEFAULT_LIMITS) -> Image.Image:
    """Return upright RGB that fits into size x size pixels, never enlarged. Raise `ImageRejected`."""
    return _render(data, limits, lambda upright: _fit(upright, size))


def _render(data: bytes, limits: ImageLimits, target: Callable[[Size], Size]) -> Image.Image:
    """Return upright RGB in the size that `target` returns for the picture's upright size."""
    with _plain_words(data, limits):
        picture = _open(data, limits)
        stored = picture.size
        wanted = _size_to_cut(picture, stored, target)
        draft(picture, wanted)
        with decoding_turn(estimate_bytes(picture, stored), wait_seconds=limits.wait_seconds):
            _decode(picture, data, limits)
            # Asked again: in a PNG the orientation may come after the pixels.
            small = to_rgb(picture, _size_to_cut(picture, stored, target))
        return turn_upright(small, picture)


def _size_to_cut(picture: Image.Image, stored: Size, target: Callable[[Size], Size]) -> Size:
    """Return the size to resize the picture to as it lies in the file, before it is turned upright."""
    orientation = orientation_of(picture)
    return turned(target(turned(stored, orientation)), orientation)


def _fit(upright: Size, size: int) -> Size:
    scale = min(1.0, size / max(upright))
    return max(1, round(upright[0] * scale)), max(1, round(upright[1] * scale))


def _open(data: bytes, limits: ImageLimits) -> Image.Image:
    """Read and check the picture's header, without decoding the pixels."""
    if not data:
        raise ImageRejected("The file is empty.")
    if len(data) > limits.max_bytes:
        raise ImageRejected(f"The file is larger than {_amount(limits.max_bytes, 2**20, 'MB', 'bytes')}.")
    if reason := why_not_opened(data):
        raise ImageRejected(reason)
    picture = Image.open(io.BytesIO(data), formats=READ)
    _check_pixels(picture.size, limits)
    _check_budget(picture)
    if reason := why_refused(picture, data, limits.max_pixels):
        raise ImageRejected(describe_non_picture(data) if picture.format == "TGA" else reason)
    many = known_name(picture.format) == "JPEG" and has_several_scans(picture)
    if many and data.count(_START_OF_SCAN) > _MAX_JPEG_SCANS:
        raise ImageRejected("The picture is stored in an unusual way. Save it again as an ordinary JPEG.")
    return picture if has_end(data) else Image.open(io.BytesIO(_with_end(data, picture, limits)), formats=("JPEG",))


def _decode_in_turn(picture: Image.Image, data: bytes, stored: Size, limits: ImageLimits) -> None:
    with decoding_turn(estimate_bytes(picture, stored), wait_seconds=limits.wait_seconds):
        _decode(picture, data, limits)


def _decode(picture: Image.Image, data: bytes, limits: ImageLimits) -> None:
    picture.load()
    _check_pixels(picture.size, limits)
    if picture.mode not in READABLE_MODES:
        raise ImageRejected(f"Pictures with {picture.mode} colours cannot be read. Save it as RGB.")
    if picture.format == "PNG":
        scale_transparency_key(picture, bits=data[_PNG_BIT_DEPTH_AT])


def _check_pixels(size: Size, limits: ImageLimits) -> None:
    pixels = size[0] * size[1]
    if pixels < 1:
        raise ImageRejected(DAMAGED)
    if pixels > limits.max_pixels:
        raise ImageRejected(_too_many_pixels(pixels, limits))


def _check_budget(picture: Image.Image) -> None:
    pixels, most = picture.size[0] * picture.size[1], max_pixels(picture.format)
    if pixels > most:
        title = FORMATS[known_name(picture.format)].title
        has, allowed = (f"{count // 10**6} million" for count in (pixels, most))
        raise ImageRejected(f"The picture has {has} pixels; in the format {title} at most {allowed} are allowed.")


def _with_end(data: bytes, picture: Image.Image, limits: ImageLimits) -> bytes:
    """Return the bytes of a JPEG with an end mark, where it lacks no more than that."""
    pixels = picture.size[0] * picture.size[1]
    with decoding_turn(3 * bytes_per_pixel("JPEG") * pixels, wait_seconds=limits.wait_seconds):
        whole = with_end(data)
    if whole is None:
        raise ImageRejected(CUT_OFF)
    return whole


@contextmanager
def _plain_words(data: bytes, limits: ImageLimits) -> Iterator[None]:
    """Turn whatever a decoder raises over `data` into `ImageRejected`."""
    try:
        yield
    except (ImageRejected, Unavailable):
        raise
    except DicomRefused as error:
        raise ImageRejected(str(error)) from error
    except UnidentifiedImageError as error:
        raise ImageRejected(describe_non_picture(data)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRejected(_too_many_pixels(_pixels_in(error), limits)) from error
    except MemoryError as error:
        raise ImageRejected("The picture is too large to be read.") from error
    # Over broken bytes decoders raise all sorts: struct.error, SyntaxError, OSError, zlib.error, IndexError.
    except Exception as error:
        raise ImageRejected(CUT_OFF if _is_cut_off(data, error) else DAMAGED) from error


def _is_cut_off(data: bytes, error: Exception) -> bool:
    if data[8:12] == b"WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    return isinstance(error, EOFError) or "truncated" in str(error).lower()


def _pixels_in(error: Exception) -> int:
    """Return the number in Pillow's message about a decompression bomb, as the size is not available otherwise."""
    found = re.search(r"(\d+) pixels", str(error))
    return int(found.group(1)) if found else 2 * DEFAULT_LIMITS.max_pixels


def _too_many_pixels(pixels: int, limits: ImageLimits) -> str:
    has, most = (_amount(count, 10**6, "million pixels", "pixels") for count in (pixels, limits.max_pixels))
    return f"The picture has {has}; at most {most} are allowed."


def _amount(count: int, large: int, large_unit: str, unit: str) -> str:
    """Format a number with its unit: 178000000 -> "178 million pixels", 2500 -> "2,500 pixels"."""
    return f"{count // large} {large_unit}" if count >= large else f"{count:,} {unit}"
