"""Test that a SavedModel turns photos upright as the site does, with TensorFlow operations only."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ml.exports.exif_ops import read_orientation, turn_upright
from ml.images.decoding import load_picture
from tests.lazy_tensorflow import tf
from tests.pictures import encode, exif

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def read() -> Any:
    spec = tf.TensorSpec([], tf.string)
    return tf.function(read_orientation, input_signature=[spec], autograph=False)


def picture() -> Image.Image:
    """Return four quarters of different colours, which look different in each orientation."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16, :16], pixels[:16, 16:], pixels[16:, :16] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return Image.fromarray(pixels)


def big_endian(orientation: int) -> bytes:
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2, "big") + b"\x00\x00"
    return b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"


@pytest.mark.parametrize("make", [exif, big_endian])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_the_site_turns_it(read: Any, orientation: int, make: Any) -> None:
    data = encode(picture(), "JPEG", exif=make(orientation), quality=95)
    found = read(tf.constant(data))
    assert int(found) == orientation
    decoded = tf.io.decode_image(data, channels=3, expand_animations=False)
    upright = np.asarray(turn_upright(decoded, found), int)
    assert np.abs(upright - load_picture(data, 32)).max() < 12


def with_segments(data: bytes, *bodies: bytes) -> bytes:
    """Insert other segments before those of a JPEG."""
    segments = b"".join(b"\xff\xe2" + (len(body) + 2).to_bytes(2, "big") + body for body in bodies)
    return data[:2] + segments + data[2:]


def test_found_behind_other_segments(read: Any) -> None:
    data = with_segments(encode(picture(), "JPEG", exif=exif(6)), b"ICC_PROFILE" * 90, b"x" * 60_000)
    assert int(read(tf.constant(data))) == 6


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(picture(), "JPEG"), id="no EXIF"),
        pytest.param(encode(picture(), "PNG"), id="not a JPEG"),
        pytest.param(encode(picture(), "JPEG", exif=exif(9)), id="absurd"),
        pytest.param(encode(picture(), "JPEG", exif=exif(0)), id="zero"),
        pytest.param(encode(picture(), "JPEG", exif=b"Exif\x00\x00"), id="empty EXIF"),
        pytest.param(encode(picture(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff"), id="offset outside"),
        pytest.param(b"", id="no bytes"),
        pytest.param(b"\xff\xd8\xff\xe1\x00\x00", id="segment without a length"),
    ],
)
def test_nothing_said_is_upright(read: Any, data: bytes) -> None:
    assert int(read(tf.constant(data))) == 1


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_files_give_some_orientation(read: Any, data: st.DataObject) -> None:
    whole = bytearray(encode(picture(), "JPEG", exif=exif(6)))
    for place in data.draw(st.lists(st.integers(0, 60), max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    assert 1 <= int(read(tf.constant(bytes(whole[:cut])))) <= 8


def test_the_file_helper_makes_what_pillow_reads() -> None:
    opened = Image.open(io.BytesIO(encode(picture(), "JPEG", exif=exif(6))))
    assert opened.getexif()[0x0112] == 6
