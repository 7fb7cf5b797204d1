"""Test formats that are less common, and files that are whole though a decoder stumbles over them."""

import io
import struct

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ml.images.decoding import CUT_OFF, ImageRejected, load_picture, make_thumbnail, verify_image
from ml.images.formats import FORMATS
from ml.images.jpeg_ends import has_end, with_end
from ml.images.unusual import PLANAR
from tests.pictures import encode, encode_heic, photo_like_jpeg

UPRIGHT = Image.new("RGB", (60, 40))
UPRIGHT.paste((255, 255, 255), (0, 0, 30, 20))


def bright_corners(data: bytes) -> list[bool]:
    picture = load_picture(data, 32)
    return [bool(picture[y, x].mean() > 128) for y in (2, -3) for x in (2, -3)]


@pytest.mark.parametrize(
    "format", [name for name in FORMATS if name not in ("HEIF", "DIB") and not FORMATS[name].extra]
)
def test_format_is_read(format: str) -> None:
    data = encode(UPRIGHT, format, **({"sizes": [(60, 40)]} if format == "ICO" else {}))
    facts = verify_image(data)
    assert (facts.format, facts.width, facts.height) == (format, 60, 40)
    assert bright_corners(data) == [True, False, False, False]
    assert Image.open(io.BytesIO(make_thumbnail(data, 30))).size == (30, 20)


def test_dib_is_read() -> None:
    assert verify_image(encode(UPRIGHT, "DIB")).format == "DIB"


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic_is_upright_whatever_the_phone_says(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode_heic(UPRIGHT, exif=exif.tobytes(), quality=90)
    facts = verify_image(data)
    shown = load_picture(data, 32)
    assert facts.format == "HEIF"
    turned = orientation in (6, 8)
    assert (facts.width, facts.height) == ((40, 60) if turned else (60, 40))
    corner = {1: (2, 2), 3: (-3, -3), 6: (2, -3), 8: (-3, 2)}[orientation]
    assert shown[corner].mean() > 128 > shown[16, 16].mean() - 128


def test_heic_with_transparency_is_laid_on_white() -> None:
    data = encode_heic(Image.new("RGBA", (64, 64), (255, 0, 0, 0)), quality=-1)
    assert load_picture(data, 8).min() > 240


def test_animated_avif_gives_its_first_frame() -> None:
    data = encode(UPRIGHT, "AVIF", save_all=True, append_images=[Image.new("RGB", (60, 40), "red")])
    assert bright_corners(data) == [True, False, False, False]


def test_icon_gives_its_largest_picture() -> None:
    assert verify_image(encode(UPRIGHT.resize((64, 64)), "ICO", sizes=[(16, 16), (64, 64)])).width == 64


# TGA has no signature


@given(data=st.binary(min_size=18, max_size=400))
def test_hardly_any_bytes_happen_to_be_a_tga(data: bytes) -> None:
    data = bytes([0, 0, 2]) + data[3:12] + struct.pack("<HHBB", 5, 5, 24, 0) + data[18:]
    if len(data) != 18 + data[0] + 75:
        with pytest.raises(ImageRejected):
            verify_image(data)


def test_compressed_tga_needs_its_footer() -> None:
    data = encode(UPRIGHT, "TGA", compression="tga_rle")
    assert verify_image(data).format == "TGA"
    with pytest.raises(ImageRejected, match="not a picture"):
        verify_image(data[:-26])


# TIFF


def test_raw_picture_of_a_camera_is_no_tiff() -> None:
    plain = encode(UPRIGHT, "TIFF", tiffinfo={50706: b"\x01\x04\x00\x00"})
    with pytest.raises(ImageRejected, match=r"[Cc]amera raw"):
        verify_image(plain)


def test_16_bit_colours_in_planes_are_refused_and_8_bit_ones_read() -> None:
    with pytest.raises(ImageRejected, match=PLANAR):
        verify_image(planar_tiff(16))
    picture = load_picture(planar_tiff(8), 8)
    assert picture[1, 1].tolist() == [255, 0, 0]


def planar_tiff(bits: int) -> bytes:
    """Return a red TIFF of 4 x 4 pixels whose colours lie one behind the other."""
    plane = 16 * bits // 8
    at = 8 + 2 + 12 * 9 + 4
    fields = [
        *((256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 3, at), (259, 3, 1, 1), (262, 3, 1, 2)),
        *((273, 4, 3, at + 6), (277, 3, 1, 3), (279, 4, 3, at + 18), (284, 3, 1, 2)),
    ]
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    arrays = struct.pack("<3H", bits, bits, bits)
    start = at + 30
    arrays += struct.pack("<3I", *(start + plane * number for number in range(3))) + struct.pack("<3I", *[plane] * 3)
    head = b"II*\0" + struct.pack("<IH", 8, len(fields))
    return head + entries + bytes(4) + arrays + b"\xff" * plane + bytes(2 * plane)


# JPEG


def lossless_jpeg(values: npt.NDArray[np.uint8]) -> bytes:
    """Return a lossless JPEG (T.81, process 14) of grey values, coded as the differences between neighbours."""

    def segment(mark: int, body: bytes) -> bytes:
        return bytes([0xFF, mark]) + struct.pack(">H", len(body) + 2) + body

    height, width = values.shape
    coded = ""
    for y, x in np.ndindex(height, width):
        before = int(values[y, x - 1]) if x else int(values[y - 1, 0]) if y else 128
        difference = int(values[y, x]) - before
        count = abs(difference).bit_length()
        coded += format(count, "04b")
        if count:
            coded += format(difference if difference > 0 else difference + (1 << count) - 1, f"0{count}b")
    coded += "1" * (-len(coded) % 8)
    data = int(coded, 2).to_bytes(len(coded) // 8, "big").replace(b"\xff", b"\xff\x00")
    table = bytes([0, 0, 0, 0, 9, *[0] * 12, *range(9)])  # nine codes of four bits
    frame = bytes([8]) + struct.pack(">HH", height, width) + bytes([1, 1, 0x11, 0])
    scan = segment(0xC3, frame) + segment(0xC4, table) + segment(0xDA, bytes([1, 1, 0, 1, 0, 0]))
    return b"\xff\xd8" + scan + data + b"\xff\xd9"


def test_lossless_jpeg_is_read() -> None:
    values = (np.indices((30, 40)).sum(axis=0) * 3 % 256).astype(np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(lossless_jpeg(values)))) == values).all()
    assert verify_image(lossless_jpeg(values)).width == 40


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"optimize": True}])
def test_jpeg_without_its_end_mark_is_whole(options: dict[str, object]) -> None:
    data = encode(Image.open(io.BytesIO(photo_like_jpeg(1))), "JPEG", **options)
    assert has_end(data)
    assert not has_end(data[:-2])
    assert verify_image(data[:-2]).width == 500
    assert (load_picture(data[:-2], 64) == load_picture(data, 64)).all()


@pytest.mark.parametrize("missing", [8, 40, 400, 4000, 20_000])
def test_jpeg_that_is_cut_off_is_refused(missing: int) -> None:
    data = photo_like_jpeg(1)
    with pytest.raises(ImageRejected, match=CUT_OFF):
        verify_image(data[:-missing])


def test_progressive_jpeg_may_lack_scans_and_is_refused_without_its_end() -> None:
    data = encode(UPRIGHT, "JPEG", progressive=True)
    for cut in (data[:-2], data[: data.rfind(b"\xff\xda")]):
        assert with_end(cut) is None
        with pytest.raises(ImageRejected, match=CUT_OFF):
            verify_image(cut)


def test_bytes_behind_the_end_do_no_harm() -> None:
    assert verify_image(encode(UPRIGHT, "JPEG") + bytes(100)).width == 60


def test_icon_that_hides_a_huge_picture_is_refused() -> None:
    """Its table says 16 x 16, and Pillow would decode it as it opens it, without waiting for a turn."""
    png = encode(Image.new("RGBA", (4200, 4200)), "PNG")
    icon = struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(png), 22) + png
    with pytest.raises(ImageRejected, match="icon"):
        verify_image(icon)


def test_jpeg_2000_of_very_many_tiles_is_refused() -> None:
    """Each tile takes memory of its own: a picture of one million pixels would take 730 MB."""
    with pytest.raises(ImageRejected, match="too many tiles"):
        verify_image(encode(Image.new("RGB", (600, 600)), "JPEG2000", tile_size=(4, 4), num_resolutions=1))
    assert verify_image(encode(UPRIGHT, "JPEG2000", tile_size=(4, 4), num_resolutions=1)).format == "JPEG2000"
