"""Lay heat over a picture: colours that say how warm each place is, over the picture in grey."""

import functools
import io
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.images.decoding import DEFAULT_LIMITS, ImageLimits, render_to_fit
from ml.images.rendering import Framing

COLOURS = 256
# A photograph as PNG takes three times as long with the usual effort, for a file that is hardly smaller.
_SAVING: dict[str, dict[str, int]] = {
    "JPEG": {"quality": 85},
    "PNG": {"compress_level": 1, "compress_type": zlib.Z_RLE},
}
_OPACITY = 0.6  # of the colours
_UNSEEN = 0.35  # of its brightness keeps what the network was not shown

# From dark blue to light yellow through a muted red, in Oklab (Ottosson 2020), where equal distances look equally
# different. Lightness and blue-yellow only rise, so the order is seen without telling red from green, and in grey.
_COLD, _WARM = (0.30, -0.13), (0.93, 0.17)  # lightness, blue to yellow
_REDDEST = 0.09

_TO_CONES = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]]
)
_TO_LINEAR = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.707614701],
    ]
)


@functools.cache
def colour_ramp() -> NDArray[np.uint8]:
    """Return the RGB colours (256, 3) from cold to warm, each as different from the one before as all others."""
    fine = np.linspace(0, 1, 64 * COLOURS)
    lengths = np.linalg.norm(np.diff(_curve(fine), axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(lengths)])
    even = np.interp(np.linspace(0, along[-1], COLOURS), along, fine)
    return np.rint(255 * _to_srgb(_curve(even))).astype(np.uint8)


def _curve(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Oklab colours (N, 3) at places 0..1 on the way from cold to warm."""
    lightness, yellow = (cold + (warm - cold) * at for cold, warm in zip(_COLD, _WARM, strict=True))
    return np.stack([lightness, _REDDEST * np.sin(np.pi * at), yellow], axis=1)


def _to_srgb(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.clip((colours @ _TO_CONES.T) ** 3 @ _TO_LINEAR.T, 0, 1)
    found: NDArray[np.float64] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return found


def make_overlay(
    data: bytes,
    warmth: NDArray[np.float32],
    size: int,
    limits: ImageLimits = DEFAULT_LIMITS,
    framing: Framing = Framing.WHOLE,
    kind: str = "JPEG",
) -> bytes:
    """Return the upright picture, made to fit into size x size pixels, with heat over it; see `lay_heat`.

    `kind` is JPEG or PNG. Raise `ImageRejected` if the bytes are no readable picture.
    """
    picture = lay_heat(render_to_fit(data, size, limits), warmth, framing)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **_SAVING[kind])
    return buffer.getvalue()


def lay_heat(picture: Image.Image, warmth: NDArray[np.float32], framing: Framing) -> Image.Image:
    """Return an upright RGB picture in grey with its warmth in colours; parts that the network did not see are dark.

    Args:
        picture: RGB of any size.
        warmth: 0 to 1 at the places (H, W) of the square that the network saw.
        framing: how that square was made of the picture.
    """
    grey = picture.convert("L").convert("RGB")
    left, top, width, height = _seen(picture.size, framing)
    smooth = Image.fromarray(255 * np.asarray(warmth, np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    steps = smooth.convert("L")  # which cuts off what the smoothing made less than 0 or more than 255
    steps.putpalette(colour_ramp().tobytes())
    laid = grey.point(lambda level: level * _UNSEEN)
    seen = grey.crop((left, top, left + width, top + height))
    laid.paste(Image.blend(seen, steps.convert("RGB"), _OPACITY), (left, top))
    return laid


def _seen(size: tuple[int, int], framing: Framing) -> tuple[int, int, int, int]:
    """Return left, top, width and height of the part of a picture that the network sees."""
    if framing != Framing.CENTRE:
        return 0, 0, *size
    side = min(size)
    return (size[0] - side) // 2, (size[1] - side) // 2, side, side
