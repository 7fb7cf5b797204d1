"""Test the colours of heat, and that it lies where the network saw the picture."""

import io

import numpy as np
import pytest
from PIL import Image

from ml.images.decoding import ImageRejected
from ml.images.heat import COLOURS, colour_ramp, lay_heat, make_overlay
from ml.images.rendering import Framing
from tests.pictures import encode, make_jpeg

CORNER = np.array([[1, 0], [0, 0]], np.float32)  # warm at the top left


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def warmer(picture: Image.Image) -> np.ndarray:
    """Return how much more red than blue there is in each quarter (2, 2)."""
    pixels = np.asarray(picture, np.float64)
    height, width = (length // 2 * 2 for length in pixels.shape[:2])
    difference = (pixels[..., 0] - pixels[..., 2])[:height, :width]
    return difference.reshape(2, height // 2, 2, width // 2).mean(axis=(1, 3))


def luminance(colours: np.ndarray) -> np.ndarray:
    linear = (colours / 255) ** 2.2
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def test_colours_become_steadily_lighter() -> None:
    assert len(colour_ramp()) == COLOURS
    assert (np.diff(luminance(colour_ramp()[::8].astype(float))) > 0).all()


@pytest.mark.parametrize(
    ("kind", "seen"),  # what is left of red, green and blue for those who lack a kind of cone (Viénot et al. 1999)
    [
        ("protan", [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
        ("deutan", [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
    ],
)
def test_colours_are_told_apart_without_red_and_green(kind: str, seen: list[list[float]]) -> None:
    linear = (colour_ramp()[::32].astype(float) / 255) ** 2.2 @ np.array(seen).T
    lightness = np.clip(linear @ np.array([0.2126, 0.7152, 0.0722]), 0, None) ** (1 / 3)
    assert (np.diff(lightness) > 0.03).all()


def test_heat_lies_on_the_whole_picture_where_it_was_squeezed() -> None:
    laid = lay_heat(Image.new("RGB", (90, 30), (128, 128, 128)), CORNER, Framing.WHOLE)
    assert laid.size == (90, 30)
    assert warmer(laid).argmax() == 0


@pytest.mark.parametrize("size", [(90, 30), (30, 90)])
def test_heat_lies_on_the_middle_where_it_was_cropped_and_the_rest_is_dark(size: tuple[int, int]) -> None:
    laid = lay_heat(Image.new("RGB", size, (200, 200, 200)), CORNER, Framing.CENTRE)
    middle = laid.crop((30, 0, 60, 30) if size[0] > size[1] else (0, 30, 30, 60))
    assert warmer(middle).argmax() == 0
    outside = np.asarray(laid.crop((0, 0, 30, 30)))
    assert (outside == outside[0, 0, 0]).all()
    assert outside.max() < 100


def test_overlay_is_upright_and_fits() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    stored = encode(Image.new("RGB", (80, 40), (90, 90, 90)), "JPEG", exif=exif)
    laid = opened(make_overlay(stored, CORNER, 40))
    assert (laid.format, laid.size) == ("JPEG", (20, 40))
    assert warmer(laid).argmax() == 0


def test_overlay_as_png() -> None:
    assert opened(make_overlay(make_jpeg(1), CORNER, 640, kind="PNG")).format == "PNG"


def test_overlay_on_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ImageRejected):
        make_overlay(b"<html>", CORNER, 640)
