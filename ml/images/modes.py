"""Convert any pixel mode to 8-bit RGB at a given size. `ml/images/decoding.py` describes the policy in a table.

As much as possible is done after the resizing, on the small picture: there it costs nothing, and a picture of 100
million pixels needs no second copy.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Size = tuple[int, int]  # (width, height)
Box = tuple[float, float, float, float]  # left, top, right, bottom of the part that is used, in pixels

_DEEP = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
_TRANSPARENT = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})
_PLAIN = frozenset({"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"})
READABLE_MODES = _DEEP | _TRANSPARENT | _PLAIN

# Large pictures are first averaged in whole blocks, down to this many times the wanted size. From 3 on, the
# result cannot be told from the direct way.
_REDUCING_GAP = 3.0

# The largest value of 8, 10, 12, 14 and 16 bits.
_MOST_OF_BITS = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)

_TIFF_BITS_PER_SAMPLE, _TIFF_PHOTOMETRIC = 258, 262
_WHITE_IS_ZERO = 0


def to_rgb(picture: Image.Image, size: Size, box: Box | None = None) -> Image.Image:
    """Convert a loaded picture of a mode in READABLE_MODES, or the part in `box`, to RGB of `size`, ignoring EXIF."""
    if picture.mode in _DEEP:
        return _deep_to_rgb(picture, size, box)
    if picture.mode in _TRANSPARENT or "transparency" in picture.info:
        return _over_white(picture, size, box)
    if picture.mode in ("P", "RGBX"):
        picture = picture.convert("RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    small = _resize(picture, size, box)
    return small if small.mode == "RGB" else small.convert("RGB")


def scale_transparency_key(picture: Image.Image, bits: int) -> None:
    """Scale the one transparent colour of a PNG with `bits` per channel to the range of the loaded pixels.

    Pillow leaves this colour as it is in the file, although it scales 2- and 4-bit grey up to 8 bits and cuts 16-bit
    RGB down to 8.
    """
    key = picture.info.get("transparency")
    if picture.mode == "L" and bits in (2, 4) and isinstance(key, int):
        picture.info["transparency"] = min(255, key * 255 // (2**bits - 1))
    elif picture.mode == "RGB" and bits == 16 and isinstance(key, tuple):
        picture.info["transparency"] = tuple(level >> 8 for level in key)


def _resize(picture: Image.Image, size: Size, box: Box | None) -> Image.Image:
    return picture.resize(size, Image.Resampling.BILINEAR, box, reducing_gap=_REDUCING_GAP)


def _over_white(picture: Image.Image, size: Size, box: Box | None) -> Image.Image:
    """Lay the picture on white, resized with premultiplied alpha so that invisible pixels tint no neighbours."""
    small = np.asarray(_resize(_premultiplied(picture), size, box))
    colour, alpha = small[..., :3], small[..., 3:]
    # No overflow: a premultiplied colour is at most its alpha.
    return Image.fromarray(colour + (255 - alpha))


def _premultiplied(picture: Image.Image) -> Image.Image:
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.mode == "RGBa":
        picture = picture.copy()
    elif picture.mode != "RGBA":
        picture = picture.convert("RGBA")
    return picture if picture.mode == "RGBa" else picture.convert("RGBa")


def _deep_to_rgb(picture: Image.Image, size: Size, box: Box | None) -> Image.Image:
    whole = picture if picture.mode in ("I", "F") else picture.convert("I")
    low, high = _range_of(whole, bits=_tag(picture, _TIFF_BITS_PER_SAMPLE))
    small = np.asarray(_resize(_key_to_white(whole, high), size, box))
    grey = _to_8_bits(small.astype(np.float64), low, high)
    if _tag(picture, _TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    return Image.fromarray(grey).convert("RGB")


def _key_to_white(picture: Image.Image, white: float) -> Image.Image:
    """Replace the one grey that a PNG declares transparent by white."""
    key = picture.info.get("transparency")
    if not isinstance(key, int) or picture.mode == "F":
        return picture
    values = np.array(picture)
    values[values == key] = int(white)
    return Image.fromarray(values)


def _range_of(picture: Image.Image, *, bits: Any) -> tuple[float, float]:
    """Return the values that become 0 and 255 in a picture of the mode I or F; `bits` is what a TIFF says of it."""
    low, high = _finite_extrema(picture)
    if picture.mode == "F":
        return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    if low < 0 or high > _MOST_OF_BITS[-1]:
        return low, high
    least = 4095.0 if bits == (12,) else 0.0
    # Cameras of fewer bits write them into files of 16, and the picture would be nearly black.
    return 0.0, next(most for most in _MOST_OF_BITS if most >= max(high, least))


def _finite_extrema(picture: Image.Image) -> tuple[float, float]:
    extrema: Any = picture.getextrema()
    low, high = float(extrema[0]), float(extrema[1])
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    values = np.asarray(picture)
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _to_8_bits(values: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.uint8]:
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    scaled = (values - low) * (255.0 / max(high - low, 1e-30))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _tag(picture: Image.Image, number: int) -> Any:
    """Return a tag of a TIFF, or None; other formats have no tags."""
    return getattr(picture, "tag_v2", {}).get(number)
