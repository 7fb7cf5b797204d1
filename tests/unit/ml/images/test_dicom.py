"""Plain DICOM pictures are read where the extra is installed; others are refused with a sentence that says why."""

import io
from typing import Any

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed (make run EXTRAS=dicom)")

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from ml.images.decoding import ImageLimits, ImageRejected, load_picture, make_thumbnail, verify_image
from ml.images.formats import FORMATS
from tests.dicom_files import GRADIENT, make_dicom


def row(data: bytes) -> list[int]:
    """Return the grey of three places from left to right."""
    shown = load_picture(data, 64)
    assert (shown == shown[..., :1]).all()
    return [int(shown[32, place, 0]) for place in (0, 32, 63)]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_grey_picture_goes_from_its_least_to_its_largest_value(syntax: str) -> None:
    data = make_dicom(syntax=syntax)
    facts = verify_image(data)
    assert (facts.format, facts.width, facts.height) == ("DICOM", 64, 48)
    assert row(data) == pytest.approx([0, 129, 255], abs=3)
    assert make_thumbnail(data, 32)[:2] == b"\xff\xd8"


def test_window_says_what_is_black_and_white() -> None:
    assert row(make_dicom(WindowCenter=250, WindowWidth=500)) == pytest.approx([0, 255, 255], abs=3)
    assert row(make_dicom(WindowCenter=[500, 1], WindowWidth=[2000, 9])) == pytest.approx([64, 128, 191], abs=3)
    shifted = make_dicom(RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=0, WindowWidth=2000)
    assert row(shifted) == pytest.approx([0, 129, 255], abs=3)


def test_monochrome1_is_inverted() -> None:
    assert row(make_dicom(PhotometricInterpretation="MONOCHROME1")) == pytest.approx([255, 126, 0], abs=3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32])
def test_depths_and_signs(dtype: type) -> None:
    assert row(make_dicom((GRADIENT / 8).astype(dtype)))[::2] == [0, 255]


def test_flat_picture_is_read() -> None:
    assert row(make_dicom(np.full((8, 8), 7, np.uint16))) == [0, 0, 0]


def test_colours() -> None:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[..., 0] = 200
    assert load_picture(make_dicom(pixels), 8)[4, 4].tolist() == [200, 0, 0]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"NumberOfFrames": 2, "PixelData": GRADIENT.tobytes() * 2}, "several pictures"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colours"),
        ({"BitsAllocated": 64}, "colours"),
        ({"PixelData": GRADIENT.tobytes()[:100]}, "damaged"),
        ({"Rows": 60000, "Columns": 60000}, "3600 million pixels"),
        ({"Rows": 9000, "Columns": 9000}, "in the format DICOM at most"),
        ({"Rows": 0}, "."),
    ],
)
def test_what_cannot_be_read_is_told(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ImageRejected, match=says):
        verify_image(make_dicom(**more))


def test_file_without_a_picture() -> None:
    dataset = pydicom.dcmread(io.BytesIO(make_dicom()))
    del dataset.PixelData
    target = io.BytesIO()
    dataset.save_as(target)
    with pytest.raises(ImageRejected, match="no picture in this DICOM"):
        verify_image(target.getvalue())


def test_compressed_pixels_are_refused() -> None:
    dataset = pydicom.dcmread(io.BytesIO(make_dicom()))
    dataset.compress(RLELossless)
    target = io.BytesIO()
    dataset.save_as(target)
    with pytest.raises(ImageRejected, match="compressed"):
        verify_image(target.getvalue())


def test_deflated_file_is_refused_before_it_is_unpacked() -> None:
    bomb = make_dicom(np.zeros((2000, 2000), np.uint16), syntax=DeflatedExplicitVRLittleEndian)
    assert len(bomb) < 100_000
    with pytest.raises(ImageRejected, match="compressed"):
        verify_image(bomb)


def test_cut_off_and_random_bytes_are_refused() -> None:
    data, rng = make_dicom(), np.random.default_rng(0)
    for length in (132, 140, 300, len(data) // 2):
        with pytest.raises(ImageRejected):
            verify_image(data[:length])
    for _ in range(20):
        with pytest.raises(ImageRejected):
            verify_image(data[:132] + rng.bytes(3000))


def test_flipped_bytes_never_raise_anything_else() -> None:
    data, rng = make_dicom(), np.random.default_rng(1)
    for _ in range(100):
        flipped = bytearray(data)
        for place in rng.integers(132, 700, 4):
            flipped[place] = int(rng.integers(256))
        try:
            verify_image(bytes(flipped))
        except ImageRejected:
            continue


def test_limits_hold() -> None:
    with pytest.raises(ImageRejected, match="at most 1,000"):
        verify_image(make_dicom(), ImageLimits(max_pixels=1000))
    assert FORMATS["DICOM"].is_read
