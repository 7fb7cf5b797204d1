"""Name the ranges of numbers that networks expect for pixels, and tell them from the first steps of a network.

A range "LOW..HIGH" says what a pixel of 0 and one of 255 become.
"""

import math
from dataclasses import dataclass

RANGES: dict[str, tuple[float, float]] = {
    "0..1": (0.0, 1.0),
    "-1..1": (-1.0, 1.0),
    "0..255": (0.0, 255.0),
    "label_image": (-1.0, 127 / 128),  # its defaults: a mean and a deviation of 128
}
USUAL = ("0..1", "-1..1", "0..255")  # to be tried where nothing tells

# How a range was found out.
CHOSEN, METADATA, INSIDE, TEACHABLE, WHOLE_NUMBERS = "chosen", "metadata", "inside", "teachable", "whole_numbers"
ASSUMED, TRIED = "assumed", "tried"
REASONS = (CHOSEN, METADATA, INSIDE, TEACHABLE, WHOLE_NUMBERS, ASSUMED, TRIED)


@dataclass(frozen=True)
class Told:
    """A range, and how it was found out."""

    range: str
    reason: str


def scaling_of(name: str) -> tuple[float, float]:
    """Return (scale, offset): the network takes pixel * scale + offset. Raise `ValueError` if this is no range."""
    low, high = RANGES[name] if name in RANGES else map(float, name.split(".."))
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{name} is not a range.")
    return (high - low) / 255, low


def name_range(scale: float, offset: float) -> str:
    """Return the name of a scaling, with six digits if it has none of its own."""
    low, high = offset, offset + 255 * scale
    for name, known in RANGES.items():
        if math.isclose(low, known[0], abs_tol=1e-4 * (high - low)) and math.isclose(high, known[1], rel_tol=1e-4):
            return name
    return f"{low:.6g}..{high:.6g}"


def relative_scaling(wanted: str, built_in: str) -> tuple[float, float]:
    """Return (scale, offset) that make a network with one range built in see another one."""
    scale, offset = scaling_of(wanted)
    own_scale, own_offset = scaling_of(built_in)
    return scale / own_scale, (offset - own_offset) / own_scale


# What the first steps of networks make of pixels, and by how much of the whole it may differ: the two plain ranges,
# pixels as they are, pixels less the mean of ImageNet, and that divided by its deviation.
_MADE = ((0.0, 1.0, 0.02), (-1.0, 1.0, 0.02), (0.0, 255.0, 0.02), (-114.0, 141.0, 0.04), (-2.05, 2.45, 0.15))


def range_before(steps: list[tuple[float, float]]) -> str:
    """Return the range that a network expects, told by what its first steps do; "" if they do not tell.

    `steps` are (scale, offset) of what has become of x after the first step, after the first two, and so on. The one
    that makes of a known range most exactly what networks work with tells it.
    """
    best, found = 1.0, ""
    for scale, offset in steps:
        if math.isclose(scale, 1, rel_tol=1e-3) and abs(offset) < _NOTHING:
            continue
        for name, (low, high) in RANGES.items():
            share = _deviation(low * scale + offset, high * scale + offset)
            if share < best:
                best, found = share, name
    return found


_NOTHING = 10.0  # a shift that alone tells nothing: ImageNet's mean is about 115


def _deviation(low: float, high: float) -> float:
    """Return how far numbers from `low` to `high` are from what networks work with, as a share of what is allowed."""
    return min(max(abs(low - a), abs(high - b)) / (b - a) / tolerance for a, b, tolerance in _MADE)


# Weights of a first layer that are so small expect pixels as they are: a scaling was merged into them. The root mean
# square, times the root of the inputs of an output, is about 0.4 for networks that take 0..1 or -1..1, and more if
# there is a normalisation behind them.
_MERGED = 0.03


def range_of_weights(root_mean_square: float, inputs: int) -> str:
    """Return "0..255" if a first layer's weights show that it takes pixels as they are, or ""."""
    return "0..255" if 0 < root_mean_square * math.sqrt(inputs) < _MERGED else ""
