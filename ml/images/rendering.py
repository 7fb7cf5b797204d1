"""Turn an opened picture into a square of upright RGB, framed as a backbone expects it.

Exports ship this file and `modes.py` as they are, so that their programs read pictures as the site does. Therefore both
import nothing but NumPy, Pillow and each other.
"""

import struct
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from PIL import Image

from .modes import Box, Size, to_rgb  # relative, because the two files lie in another folder elsewhere


class Framing(StrEnum):
    """How a picture becomes a square, which must be the way it did when the backbone or classifier was trained."""

    WHOLE = "whole"  # the whole picture, squeezed; bilinear with antialiasing
    CENTRE = "centre"  # the largest square in its middle, as Teachable Machine crops pictures; likewise
    UNSMOOTHED = "unsmoothed"  # the whole picture, bilinear without antialiasing, as TensorFlow for Poets resized


_EXIF_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def draft(picture: Image.Image, size: Size) -> None:
    """Let a JPEG decode at 1/2, 1/4 or 1/8 for a fraction of the work, before it is loaded. Others ignore it.

    At least twice the wanted size is left to the resizing, so that the result is what a full decoding would give.
    """
    picture.draft(None, (2 * size[0], 2 * size[1]))


def draft_square(picture: Image.Image, size: int, framing: Framing) -> None:
    """Do what `draft` does, for a picture that `make_square` gets next."""
    if framing != Framing.UNSMOOTHED:
        draft(picture, (size, size))


def make_square(picture: Image.Image, size: int, framing: Framing = Framing.WHOLE) -> Image.Image:
    """Return a loaded picture, of a mode in READABLE_MODES, as upright RGB of size x size pixels."""
    if framing == Framing.UNSMOOTHED:
        whole = turn_upright(to_rgb(picture, picture.size), picture)
        return Image.fromarray(_sample(np.asarray(whole), size))
    box = _centre_of(picture.size) if framing == Framing.CENTRE else None
    return turn_upright(to_rgb(picture, (size, size), box), picture)


def _centre_of(size: Size) -> Box:
    side = min(size)
    left, top = (size[0] - side) / 2, (size[1] - side) / 2
    return left, top, left + side, top + side


def _sample(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Resize pixels (H, W, 3) to (size, size, 3) as `tf.image.resize_bilinear` of TensorFlow 1 does.

    Pixel i of the result lies at i * H / size, between two rows of which the upper one counts more the nearer it is.
    """
    top, bottom, down = _neighbours(pixels.shape[0], size)
    left, right, along = _neighbours(pixels.shape[1], size)
    rows = [pixels[row][:, columns].astype(np.float32) for row in (top, bottom) for columns in (left, right)]
    upper, lower = (start + (end - start) * along[:, np.newaxis] for start, end in (rows[:2], rows[2:]))
    return np.rint(upper + (lower - upper) * down[:, np.newaxis, np.newaxis]).astype(np.uint8)


def _neighbours(length: int, size: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return the places before and after each of `size` points, and how far each point is from the first of them."""
    places = np.arange(size, dtype=np.float32) * (np.float32(length) / np.float32(size))
    before = np.minimum(places.astype(np.intp), length - 1)
    return before, np.minimum(before + 1, length - 1), places - before


def turn_upright(small: Image.Image, picture: Image.Image) -> Image.Image:
    """Turn what was made of a picture as the picture's EXIF orientation says."""
    turn = _TURNS.get(orientation_of(picture))
    return small if turn is None else small.transpose(turn)


def orientation_of(picture: Image.Image) -> int:
    """Return how the picture still has to be turned, 1 to 8. Pillow's TIFF plugin turns pictures itself."""
    exif = picture.info.get("exif")
    if not isinstance(exif, bytes) or picture.format == "TIFF":
        return 1
    try:
        return _read_orientation(exif.removeprefix(b"Exif\x00\x00"))
    except struct.error:
        return 1


def _read_orientation(tiff: bytes) -> int:
    """Read the orientation in the first directory of an EXIF block; return 1 if it is missing or invalid.

    Pillow's reader is not used because it parses all tags, falls back on XMP, which browsers do not, and emits
    warnings. Raise `struct.error` if the block ends too early.
    """
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, directory)
    for entry in range(count):
        tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * entry)
        if tag == _EXIF_ORIENTATION:
            return int(value) if 1 <= value <= 8 else 1
    return 1


def turned(size: Size, orientation: int) -> Size:
    """Return a size after turning, for the orientations that swap width and height."""
    return (size[1], size[0]) if orientation >= 5 else size
