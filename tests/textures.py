"""Pictures of a kind that the tiny backbone does not see and can learn to: what is alike lies along a diagonal."""

import hashlib

import numpy as np
from PIL import Image

from tests.pictures import encode

SIZE, APART = 32, 3
SLOPES = ("falling", "rising")


def make_texture(seed: int, slope: int) -> bytes:
    """Make a PNG of noise added to itself three pixels further down and to the right, or to the left.

    The colours tell nothing, and nor does the noise of any small neighbourhood.
    """
    rng = np.random.default_rng([seed, slope])
    base = rng.integers(90, 166, 3)
    noise = rng.normal(0, 1, (SIZE + APART, SIZE + APART))
    pattern = noise[APART:, APART:] + noise[:-APART, :-APART]
    if slope:
        pattern = pattern[:, ::-1]
    pixels = np.clip(base + 35 * pattern[..., np.newaxis], 0, 255).astype(np.uint8)
    return encode(Image.fromarray(pixels), "PNG")


def textures(each: int, *, seed: int = 0) -> dict[str, bytes]:
    """Make PNGs by path, `falling/0.png` and so on."""
    return {
        f"{name}/{number}.png": make_texture(seed + number, slope)
        for slope, name in enumerate(SLOPES)
        for number in range(each)
    }


def by_sha256(pictures: dict[str, bytes]) -> dict[str, bytes]:
    return {hashlib.sha256(data).hexdigest(): data for data in pictures.values()}
