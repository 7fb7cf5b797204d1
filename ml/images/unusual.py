"""Refuse files that Pillow opens but would not read as a person expects. Each check looks at headers only."""

import re
import struct
from collections.abc import Callable

from PIL import Image, TiffImagePlugin

from ml.images.camera_raw import is_raw
from ml.images.sniffing import RAW

DAMAGED = "The picture is damaged and cannot be read."
PLANAR = (
    "This TIFF keeps its 16-bit colours in separate planes, which cannot be read. Save it with interleaved colours."
)

_WIDTH, _LENGTH, _BITS, _PLANES = 322, 323, 258, 284  # tags of a TIFF; the first two of its tiles
_SEPARATE = 2
_TGA_FOOTER = b"TRUEVISION-XFILE"
_TGA_HEADER, _TGA_COMPRESSED = 18, 8
_ICON = b"\0\0\1\0"
_PNG_HEADER = re.compile(rb"\x89PNG\r\n\x1a\n")
_MOST_ICON_PIXELS = 4096 * 4096  # icons have 256 x 256, a few 1024 x 1024
_J2K_SIZES = re.compile(rb"\xff\x4f\xff\x51(.{38})", re.DOTALL)
_MOST_TILES = 10_000


def why_refused(picture: Image.Image, data: bytes, max_pixels: int) -> str | None:
    """Return the sentence for the user about an opened file that must not be decoded, or None."""
    check = _CHECKS.get(picture.format or "")
    return check(picture, data, max_pixels) if check else None


def _check_tiff(picture: Image.Image, data: bytes, max_pixels: int) -> str | None:
    tags = picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}
    # Even a small picture may have huge tiles, and memory is allocated for a whole one.
    if tags.get(_WIDTH, 1) * tags.get(_LENGTH, 1) > max_pixels:
        return DAMAGED
    if is_raw(data):  # what Pillow reads of it is the preview
        return RAW
    bits = tags.get(_BITS, ())
    if tags.get(_PLANES) == _SEPARATE and isinstance(bits, tuple) and len(bits) > 1 and max(bits) > 8:
        return PLANAR
    return None


def _check_tga(picture: Image.Image, data: bytes, max_pixels: int) -> str | None:
    """Refuse what only happens to look like a TGA, which has no signature.

    A compressed one must have the footer of its second version, any other as many bytes as its header says.
    """
    if _TGA_FOOTER in data[-26:]:
        return None
    palette = int.from_bytes(data[5:7], "little") * (data[7] // 8) if data[1] else 0
    expected = _TGA_HEADER + data[0] + palette + picture.size[0] * picture.size[1] * data[16] // 8
    plain = not data[2] & _TGA_COMPRESSED and len(data) == expected
    return None if plain else "This is not a picture of a kind that can be read."


def why_not_opened(data: bytes) -> str | None:
    """Return the sentence for the user about an icon that must not even be opened, or None.

    Pillow decodes an icon as it opens it, whatever the picture inside is larger than the icon's own table can say.
    """
    if not data.startswith(_ICON):
        return None
    for start in (found.start() for found in _PNG_HEADER.finditer(data)):
        width, height = struct.unpack_from(">II", data.ljust(start + 24, b"\0"), start + 16)
        if width * height > _MOST_ICON_PIXELS:
            return "The icon holds a picture of more than 16 million pixels."
    return None


def _check_jpeg2000(picture: Image.Image, data: bytes, max_pixels: int) -> str | None:
    """Refuse pictures in very many tiles, each of which takes about 12 KB of memory, however few pixels it has."""
    for found in _J2K_SIZES.finditer(data):
        length, width, height, _, _, tile_width, tile_height, left, top, colours = struct.unpack(
            ">HxxIIIIIIIIH", found[1]
        )
        if length == 38 + 3 * colours and tile_width and tile_height:
            tiles = -(-(width - left) // tile_width) * -(-(height - top) // tile_height)
            if tiles > _MOST_TILES:
                return "The picture is stored in too many tiles. Save it again as an ordinary JPEG 2000."
    return None


_CHECKS: dict[str, Callable[[Image.Image, bytes, int], str | None]] = {
    "TIFF": _check_tiff,
    "TGA": _check_tga,
    "JPEG2000": _check_jpeg2000,
}
