"""Camera raw pictures are developed where the extra is installed; damaged ones are refused with a sentence."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("rawpy", reason="rawpy is not installed (make run EXTRAS=raw)")

from ml.images.camera_raw import is_raw
from ml.images.decoding import ImageLimits, ImageRejected, load_picture, make_thumbnail, verify_image
from tests.pictures import encode, make_jpeg
from tests.raw_files import make_dng


def two_halves() -> np.ndarray:
    """Return a picture that is red on the left and blue on the right, 96 x 64."""
    pixels = np.full((64, 96, 3), 0.02)
    pixels[:, :48, 0] = 0.5
    pixels[:, 48:, 2] = 0.5
    return pixels


def test_raw_picture_is_developed() -> None:
    data = make_dng(two_halves())
    facts = verify_image(data)
    assert (facts.format, facts.width, facts.height, facts.size) == ("RAW", 96, 64, len(data))
    shown = load_picture(data, 32)
    assert shown.shape == (32, 32, 3)
    assert shown[16, 8].argmax() == 0
    assert shown[16, 24].argmax() == 2
    assert int(shown[16, 8].max()) > 2 * int(shown[16, 8, 1:].max())
    assert (load_picture(data, 32) == shown).all()
    assert make_thumbnail(data, 32)[:2] == b"\xff\xd8"


@pytest.mark.parametrize(("orientation", "corner"), [(1, (2, 2)), (3, (-3, -3)), (6, (2, -3)), (8, (-3, 2))])
def test_raw_picture_is_upright(orientation: int, corner: tuple[int, int]) -> None:
    pixels = np.full((64, 96, 3), 0.02)
    pixels[:32, :48] = 0.6
    data = make_dng(pixels, orientation=orientation)
    facts = verify_image(data)
    assert (facts.width, facts.height) == ((64, 96) if orientation in (6, 8) else (96, 64))
    shown = load_picture(data, 32)
    assert shown[corner].mean() > 150
    assert shown[-corner[0] - 1, -corner[1] - 1].mean() < 100


@pytest.mark.parametrize("length", [40, 300, 3000, 12000])
def test_cut_off_raw_picture_is_refused(length: int) -> None:
    with pytest.raises(ImageRejected):
        verify_image(make_dng(two_halves())[:length])


@pytest.mark.parametrize(
    "head", [b"FUJIFILMCCD-RAW 0201", b"IIRO\x08\0\0\0", b"IIU\0\x08\0\0\0", b"\0\0\0\x18ftypcrx "]
)
def test_random_bytes_behind_the_head_of_a_raw_picture_are_refused(head: bytes) -> None:
    for seed in range(5):
        data = head + np.random.default_rng(seed).bytes(5000)
        assert is_raw(data)
        with pytest.raises(ImageRejected, match=r"unusual kind|damaged|cut off"):
            verify_image(data)


def test_flipped_bytes_never_raise_anything_else() -> None:
    data, rng = make_dng(two_halves()), np.random.default_rng(0)
    for _ in range(100):
        flipped = bytearray(data)
        for place in rng.integers(8, 400, 4):
            flipped[place] = int(rng.integers(256))
        try:
            verify_image(bytes(flipped))
        except ImageRejected:
            continue


@pytest.mark.parametrize("claims", [(30000, 20000), (65535, 65535), (9000, 9000)])
def test_raw_picture_that_claims_to_be_huge_is_refused_before_it_is_developed(claims: tuple[int, int]) -> None:
    with pytest.raises(ImageRejected, match=r"million|damaged|cut off|unusual"):
        verify_image(make_dng(two_halves(), claims=claims))


def test_limits_hold() -> None:
    with pytest.raises(ImageRejected, match="at most 1,000"):
        verify_image(make_dng(two_halves()), ImageLimits(max_pixels=1000))


@pytest.mark.parametrize(
    "other",
    [
        encode(Image.new("RGB", (60, 40)), "TIFF"),
        encode(Image.new("RGB", (60, 40)), "TIFF", tiffinfo={254: 1, 271: "Maker"}),
        make_jpeg(1),
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*",
    ],
)
def test_other_pictures_are_no_raw_ones(other: bytes) -> None:
    assert not is_raw(other)
