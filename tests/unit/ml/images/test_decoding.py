"""Test which bytes are accepted and refused, and that no exception but `ImageRejected` is ever raised."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from ml.images.decoding import (
    CUT_OFF,
    DAMAGED,
    PREPROCESSING_VERSION,
    ImageLimits,
    ImageRejected,
    load_picture,
    make_thumbnail,
    verify_image,
)
from ml.images.sniffing import RAW
from tests.pictures import encode, encode_heic, exif, photo_like_jpeg, png_chunk, raw_png

# Pillow remarks on broken EXIF and TIFF tags. ml.images.decoding silences it for the process; pytest, which makes
# errors of all warnings, sets the filters anew for each test.
pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\..*")

PLAIN = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))
SAVED = {
    "JPEG": encode(PLAIN, "JPEG"),
    "progressive JPEG": encode(PLAIN, "JPEG", progressive=True),
    "PNG": encode(PLAIN, "PNG"),
    "GIF": encode(PLAIN, "GIF"),
    "BMP": encode(PLAIN, "BMP"),
    "WEBP": encode(PLAIN, "WEBP"),
    "lossless WEBP": encode(PLAIN, "WEBP", lossless=True),
    "TIFF": encode(PLAIN, "TIFF"),
    "HEIF": encode_heic(PLAIN),
    "AVIF": encode(PLAIN, "AVIF"),
    "JPEG2000": encode(PLAIN, "JPEG2000"),
    "lossy JPEG2000": encode(PLAIN, "JPEG2000", quality_mode="rates", quality_layers=[4], irreversible=True),
    "ICO": encode(PLAIN, "ICO", sizes=[(40, 30)]),
    "PPM": encode(PLAIN, "PPM"),
    "PCX": encode(PLAIN, "PCX"),
    "TGA": encode(PLAIN, "TGA"),
    "deflated TIFF": encode(PLAIN, "TIFF", compression="tiff_adobe_deflate"),
}


def rejection(data: bytes, limits: ImageLimits | None = None) -> str:
    with pytest.raises(ImageRejected) as caught:
        verify_image(data, limits or ImageLimits())
    return str(caught.value)


# Facts


@pytest.mark.parametrize("kind", SAVED)
def test_verify_image_tells_format_and_size(kind: str) -> None:
    facts = verify_image(SAVED[kind])
    assert (facts.width, facts.height) == (40, 30)
    assert facts.format == kind.rsplit(maxsplit=1)[-1]
    assert facts.size == len(SAVED[kind])
    assert len(facts.sha256) == 64


def test_verify_image_gives_the_upright_size() -> None:
    facts = verify_image(encode(PLAIN, "JPEG", exif=exif(6)))
    assert (facts.width, facts.height) == (30, 40)


def test_verify_image_of_one_pixel() -> None:
    assert verify_image(encode(Image.new("RGB", (1, 1)), "JPEG")).width == 1


def test_verify_image_calls_a_multi_picture_jpeg_a_jpeg() -> None:
    data = encode(PLAIN, "MPO", save_all=True, append_images=[PLAIN])
    assert verify_image(data).format == "JPEG"
    assert load_picture(data, 16).shape == (16, 16, 3)


def test_preprocessing_version_is_two() -> None:
    """Fail if the version is bumped without changing this line: bumping it discards every cached embedding."""
    assert PREPROCESSING_VERSION == 2


# What is refused, and the words for it


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "The file is empty."),
        (b"Dear diary,\n", "This is not a picture: it looks like text."),
        (b"<!DOCTYPE html><html>", "This is not a picture: it is a web page."),
        (b'<?xml version="1.0"?><svg/>', "SVG drawings cannot be read."),
        (b"%PDF-1.7\n", "This is a PDF, not a picture."),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "This HEIC picture cannot be read: it is damaged"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00", "This HEIC picture cannot be read: it is damaged"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00", "This AVIF picture cannot be read: it is damaged"),
        (b"\x00\x00\x00\x18ftypj2ki\x00\x00", "HEIF pictures of this kind cannot be read."),
        (b"FUJIFILMCCD-RAW 0201", RAW),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", RAW),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "This is a placeholder of Git LFS"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00", "This is a video, not a picture."),
        (b"PK\x03\x04" + bytes(30), "This is a zip archive or a document, not a picture."),
        (b"8BPS\x00\x01", "Photoshop pictures cannot be read."),
        (b"\xff\xd8\xff\xe0", "This JPEG cannot be read: it is damaged or of an unusual kind."),
        (bytes(100), "This is not a picture of a kind that can be read."),
    ],
)
def test_verify_image_says_what_a_file_is_instead(data: bytes, words: str) -> None:
    assert rejection(data).startswith(words)


@pytest.mark.parametrize("format", ["SGI", "MSP", "SPIDER"])
def test_verify_image_refuses_other_formats_that_pillow_reads(format: str) -> None:
    picture = {"MSP": PLAIN.convert("1"), "SPIDER": PLAIN.convert("F")}.get(format, PLAIN)
    assert rejection(encode(picture, format))


def test_verify_image_refuses_lab_colours() -> None:
    assert rejection(encode(Image.new("LAB", (8, 8)), "TIFF")).startswith("Pictures with LAB colours")


@pytest.mark.parametrize("kind", SAVED)
@pytest.mark.parametrize("percent", [1, 5, 20, 50, 80, 95])
def test_verify_image_notices_a_picture_cut_off(kind: str, percent: int) -> None:
    data = SAVED[kind]
    rejection(data[: len(data) - max(3, len(data) * percent // 100)])


@pytest.mark.parametrize("kind", ["JPEG", "progressive JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_verify_image_says_that_a_picture_is_cut_off(kind: str) -> None:
    assert rejection(SAVED[kind][: len(SAVED[kind]) * 4 // 5]) == CUT_OFF


@pytest.mark.parametrize("percent", range(1, 100, 7))
def test_verify_image_notices_a_cut_anywhere_in_a_photo(percent: int) -> None:
    data = photo_like_jpeg(1)
    assert rejection(data[: len(data) * percent // 100])


def test_verify_image_never_tolerates_truncation() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_verify_image_refuses_broken_png_data() -> None:
    data = bytearray(SAVED["PNG"])
    data[60] ^= 0xFF
    assert rejection(bytes(data)) == DAMAGED


# Limits and bombs


def test_verify_image_refuses_too_many_bytes() -> None:
    assert rejection(SAVED["PNG"], ImageLimits(max_bytes=100)) == "The file is larger than 100 bytes."


def test_verify_image_refuses_too_many_pixels() -> None:
    words = rejection(SAVED["PNG"], ImageLimits(max_pixels=1000))
    assert words == "The picture has 1,200 pixels; at most 1,000 pixels are allowed."


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [11_000, 60_000])
def test_verify_image_refuses_a_bomb_by_its_header(side: int) -> None:
    """Refuse little data that claims many pixels by their number, not after failing to decode them."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    assert f"{side * side // 10**6} million pixels" in rejection(bomb)


def test_bomb_warning_as_error_is_a_rejection() -> None:
    header = struct.pack(">IIBBBBB", 11_000, 11_000, 1, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"")
    assert "121 million pixels" in rejection(bomb)


def test_load_picture_keeps_to_the_limits_too() -> None:
    with pytest.raises(ImageRejected, match="at most 1,000 pixels"):
        load_picture(SAVED["JPEG"], 8, ImageLimits(max_pixels=1000))


def test_verify_image_refuses_a_png_text_bomb() -> None:
    text = png_chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(100 * 2**20)))
    rejection(raw_png(4, [bytes(4)] * 4, bits=8, colour_type=0, extra=text))


def test_verify_image_refuses_a_gif_frame_bomb() -> None:
    """Refuse a small screen with a frame that claims 65535 x 65535 pixels."""
    data = bytearray(encode(Image.new("P", (4, 4)), "GIF"))
    frame = data.index(b"\x2c", 13)
    data[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    assert "million pixels" in rejection(bytes(data))


def test_verify_image_refuses_a_tiff_tile_bomb() -> None:
    """Refuse 16 pixels in one tile of 25000 x 25000."""
    entries = [
        *((256, 3, 4), (257, 3, 4), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)),
        *((322, 4, 25_000), (323, 4, 25_000), (324, 4, 8), (325, 4, 8)),
    ]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    data = b"II*\x00" + struct.pack("<I", 16) + bytes(8) + struct.pack("<H", len(entries)) + directory
    assert rejection(data + bytes(4)) == DAMAGED


def test_verify_image_refuses_a_jpeg_of_endless_scans() -> None:
    data = SAVED["progressive JPEG"]
    scan = data.index(b"\xff\xda")
    words = rejection(data[:-2] + data[scan : scan + 20] * 300 + data[-2:])
    assert words == "The picture is stored in an unusual way. Save it again as an ordinary JPEG."


# Thumbnails


def test_make_thumbnail_fits_and_never_enlarges() -> None:
    assert Image.open(io.BytesIO(make_thumbnail(photo_like_jpeg(1), 200))).size == (200, 150)
    assert Image.open(io.BytesIO(make_thumbnail(SAVED["PNG"], 200))).size == (40, 30)
    assert Image.open(io.BytesIO(make_thumbnail(encode(Image.new("L", (900, 2)), "PNG"), 90))).size == (90, 1)


def test_make_thumbnail_strips_metadata() -> None:
    tags = Image.Exif()
    tags[0x010E] = "secret place"
    data = encode(PLAIN, "JPEG", exif=tags, comment=b"secret comment", icc_profile=b"secret profile" * 20)
    thumbnail = make_thumbnail(data, 32)
    assert b"secret" in data
    assert b"secret" not in thumbnail
    assert not Image.open(io.BytesIO(thumbnail)).getexif()


def test_make_thumbnail_refuses_what_is_no_picture() -> None:
    with pytest.raises(ImageRejected, match="looks like text"):
        make_thumbnail(b"hello", 64)


# Whatever the bytes


def check_only_rejections(data: bytes) -> None:
    try:
        verify_image(data, ImageLimits(max_pixels=1_000_000))
    except ImageRejected:
        return
    picture = load_picture(data, 24)
    assert picture.shape == (24, 24, 3)
    assert picture.dtype == np.uint8
    assert make_thumbnail(data, 24)


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_arbitrary_bytes_are_rejected_or_loaded(data: bytes) -> None:
    check_only_rejections(data)


EXOTIC = [
    encode(Image.new("CMYK", (9, 7)), "JPEG"),
    encode(Image.new("I;16", (9, 7)), "TIFF"),
    encode(Image.new("F", (9, 7)), "TIFF"),
    encode(Image.new("PA", (9, 7)), "TIFF"),
    encode(Image.new("P", (9, 7)), "PNG", transparency=b"\x80"),
    encode(Image.new("RGB", (9, 7)), "PNG", transparency=(1, 2, 3)),
    encode(Image.new("1", (9, 7)), "TIFF", compression="group4"),
    encode(PLAIN, "TIFF", compression="tiff_lzw"),
    encode(PLAIN, "JPEG", exif=exif(6)),
    encode(PLAIN, "GIF", save_all=True, append_images=[Image.new("RGB", (40, 30))]),
]


@given(
    st.sampled_from([*SAVED.values(), *EXOTIC]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8),
    st.floats(0, 1),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_mutated_pictures_are_rejected_or_loaded(data: bytes, changes: list[tuple[int, int]], cut: float) -> None:
    mutated = bytearray(data)
    # Mostly in the first 200 bytes, where the headers are.
    for place, value in changes:
        mutated[place % min(len(mutated), 200 if place % 3 else len(mutated))] = value
    check_only_rejections(bytes(mutated[: int(len(mutated) * cut)] if cut < 0.5 else mutated))
