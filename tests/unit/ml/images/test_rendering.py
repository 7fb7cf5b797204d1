"""Test how pictures become squares: squeezed, cropped, or resized as TensorFlow 1 did."""

import io

import numpy as np
import pytest
from PIL import Image

from ml.images.decoding import load_picture
from ml.images.rendering import Framing

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def stripes(mode: str = "RGB", orientation: int = 1, kind: str = "PNG") -> bytes:
    """Return a wide picture: red, then green in the middle third, then blue."""
    picture = Image.new("RGB", (300, 100), GREEN)
    picture.paste(RED, (0, 0, 100, 100))
    picture.paste(BLUE, (200, 0, 300, 100))
    if orientation == 6:  # what a phone held upright stores
        picture = picture.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.convert(mode).save(buffer, kind, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_centre_is_the_square_in_the_middle(mode: str, orientation: int) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    cropped = load_picture(stripes(mode, orientation, kind), 20, framing=Framing.CENTRE)
    assert np.abs(cropped[1:-1, 1:-1].astype(int) - GREEN).max() < 3  # smoothing sees a little of its surroundings
    whole = load_picture(stripes(mode, orientation, kind), 30).astype(int)
    for part, colour in ((whole[:, :9], RED), (whole[:, 11:19], GREEN), (whole[:, 21:], BLUE)):
        assert np.abs(part - colour).max() < 3


def test_centre_of_a_deep_grey_picture_and_of_a_large_photo() -> None:
    values = np.zeros((64, 192), np.uint16)
    values[:, 64:128] = 65535
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    assert (load_picture(buffer.getvalue(), 16, framing=Framing.CENTRE)[:, 1:-1] == 255).all()
    photo = Image.new("RGB", (4000, 1000), RED)
    photo.paste(GREEN, (1500, 0, 2500, 1000))
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=95)
    found = load_picture(buffer.getvalue(), 64, framing=Framing.CENTRE).astype(int)  # decoded at an eighth
    assert np.abs(found[:, 2:-2] - GREEN).max() < 12


def test_centre_of_a_square_is_the_whole() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 90, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    np.testing.assert_array_equal(
        load_picture(buffer.getvalue(), 32, framing=Framing.CENTRE), load_picture(buffer.getvalue(), 32)
    )


@pytest.mark.parametrize("shape", [(90, 61), (7, 5), (32, 32), (1, 300)])
def test_unsmoothed_takes_the_neighbours_of_each_point(shape: tuple[int, int]) -> None:
    """Compare with the definition: point i lies at i * length / size, between two pixels."""
    pixels = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    found = load_picture(buffer.getvalue(), 32, framing=Framing.UNSMOOTHED)
    for row, column in ((0, 0), (31, 31), (10, 20), (5, 1)):
        y, x = row * shape[0] / 32, column * shape[1] / 32
        top, left = int(y), int(x)
        bottom, right = min(top + 1, shape[0] - 1), min(left + 1, shape[1] - 1)
        upper = pixels[top, left] * (1 - x + left) + pixels[top, right] * (x - left)
        lower = pixels[bottom, left] * (1 - x + left) + pixels[bottom, right] * (x - left)
        expected = upper * (1 - y + top) + lower * (y - top)
        assert np.abs(found[row, column] - expected).max() <= 0.51
