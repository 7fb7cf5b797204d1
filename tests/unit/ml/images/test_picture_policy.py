"""Test what a picture looks like to the backbone: each line of the policy in ml/images/decoding.py."""

import io
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from ml.images.decoding import load_picture, make_thumbnail, verify_image
from tests.pictures import encode, exif, make_jpeg, photo_like_jpeg, png_chunk, raw_png

# Pillow remarks on broken EXIF and TIFF tags. ml.images.decoding silences it for the process; pytest, which makes
# errors of all warnings, sets the filters anew for each test.
pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\..*")

RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)
PLAIN = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))


def centre(data: bytes, size: int = 8) -> tuple[int, ...]:
    return tuple(int(level) for level in load_picture(data, size)[size // 2, size // 2])


def close(colour: tuple[int, ...], expected: tuple[int, ...], tolerance: int = 4) -> bool:
    return max(abs(a - b) for a, b in zip(colour, expected, strict=True)) <= tolerance


def corners(picture: npt.NDArray[np.uint8]) -> list[bool]:
    """Return which corners are bright: top left, top right, bottom left, bottom right."""
    return [bool(picture[y, x].mean() > 128) for y in (2, -3) for x in (2, -3)]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_load_picture_turns_upright(format: str, orientation: int) -> None:
    """Load a picture that is bright at its top left, stored turned, with the tag that turns it back."""
    upright = Image.new("RGB", (60, 40))
    upright.paste(WHITE, (0, 0, 30, 20))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    data = encode(stored, format, exif=exif(orientation))
    assert corners(load_picture(data, 32)) == [True, False, False, False]
    facts = verify_image(data)
    assert (facts.width, facts.height) == (60, 40)
    thumbnail = Image.open(io.BytesIO(make_thumbnail(data, 30)))
    assert thumbnail.size == (30, 20)
    assert corners(np.asarray(thumbnail)) == [True, False, False, False]


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_load_picture_ignores_absurd_orientation(orientation: int) -> None:
    data = encode(PLAIN, "JPEG", exif=exif(orientation))
    assert verify_image(data).width == 40
    assert np.array_equal(load_picture(data, 16), load_picture(encode(PLAIN, "JPEG"), 16))


@pytest.mark.parametrize(
    "block", [b"", b"II*\x00", b"MM\x00*\xff\xff\xff\xff", b"II*\x00\x08\x00\x00\x00\xff\xff", b"rubbish" * 9]
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_load_picture_ignores_broken_exif(block: bytes, format: str) -> None:
    data = encode(PLAIN, format, exif=b"Exif\x00\x00" + block)
    assert verify_image(data).width == 40
    assert load_picture(data, 16).shape == (16, 16, 3)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_load_picture_lays_rgba_on_white(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    assert centre(encode(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), format, **options)) == WHITE
    assert centre(encode(Image.new("RGBA", (20, 20), (255, 0, 0, 255)), format, **options)) == RED
    half = centre(encode(Image.new("RGBA", (20, 20), (255, 0, 0, 128)), format, **options))
    assert close(half, (255, 127, 127))


def test_load_picture_takes_no_colour_from_invisible_pixels() -> None:
    picture = Image.new("RGBA", (40, 40), (0, 255, 0, 0))
    picture.paste((255, 0, 0, 255), (20, 0, 40, 40))
    pixels = load_picture(encode(picture, "PNG"), 7).astype(int)
    # Between red and white there is only pink: green and blue stay equal.
    assert np.abs(pixels[..., 1] - pixels[..., 2]).max() <= 1


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_load_picture_lays_grey_with_alpha_on_white(format: str) -> None:
    assert centre(encode(Image.new("LA", (20, 20), (0, 0)), format)) == WHITE
    assert centre(encode(Image.new("LA", (20, 20), (90, 255)), format)) == (90, 90, 90)


def test_load_picture_lays_palette_with_alpha_on_white() -> None:
    picture = Image.new("P", (20, 20), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    assert centre(encode(picture, "PNG")) == RED
    assert centre(encode(picture, "PNG", transparency=1)) == WHITE
    assert close(centre(encode(picture, "PNG", transparency=b"\xff\x80")), (255, 127, 127))
    assert centre(encode(picture, "GIF", transparency=1)) == WHITE
    assert centre(encode(picture.convert("PA"), "TIFF")) == RED


@pytest.mark.parametrize(
    ("bits", "colour_type", "key", "row", "expected"),
    [
        (1, 0, (1,), b"\xff", WHITE),
        (1, 0, (0,), b"\x00", WHITE),
        (2, 0, (1,), b"\x55\x55", WHITE),
        (4, 0, (4,), b"\x44" * 4, WHITE),
        (4, 0, (4,), b"\x33" * 4, (51, 51, 51)),
        (8, 0, (16,), b"\x10" * 8, WHITE),
        (16, 0, (1000,), struct.pack(">H", 1000) * 8, WHITE),
        (16, 0, (1000,), struct.pack(">H", 32896) * 8, (128, 128, 128)),
        (8, 2, (9, 8, 7), bytes([9, 8, 7]) * 8, WHITE),
        (16, 2, (60000, 30000, 1000), struct.pack(">3H", 60000, 30000, 1000) * 8, WHITE),
    ],
)
def test_load_picture_shows_the_transparent_colour_of_a_png_white(
    bits: int, colour_type: int, key: tuple[int, ...], row: bytes, expected: tuple[int, ...]
) -> None:
    transparency = png_chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    assert centre(raw_png(8, [row] * 8, bits, colour_type, transparency)) == expected


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP", "GIF"])
def test_load_picture_of_grey(format: str) -> None:
    assert close(centre(encode(Image.new("L", (20, 20), 90), format)), (90, 90, 90))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_load_picture_of_black_and_white_averages(format: str) -> None:
    checks = Image.fromarray(np.indices((64, 64)).sum(axis=0) % 2 == 0)
    assert close(centre(encode(checks.convert("1"), format), 4), (127, 127, 127))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_load_picture_of_a_palette_averages_colours(format: str) -> None:
    picture = Image.fromarray((np.indices((64, 64)).sum(axis=0) % 2).astype(np.uint8)).convert("P")
    picture.putpalette([255, 0, 0, 0, 0, 255])
    assert close(centre(encode(picture, format), 4), (127, 0, 127))


@pytest.mark.parametrize("value", [0, 257, 20_046, 65_535])
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_load_picture_scales_16_bit_grey(value: int, order: str) -> None:
    expected = (round(value / 257),) * 3
    values = np.full((20, 20), value, np.uint16)
    values[0, 0] = 65_535  # the picture uses all its bits
    assert centre(encode(Image.fromarray(values), "PNG")) == expected
    mode = "I;16" if order == "<u2" else "I;16B"
    picture = Image.frombytes(mode, (20, 20), values.astype(order).tobytes())
    assert centre(encode(picture, "TIFF")) == expected


@pytest.mark.parametrize("most", [255, 1023, 4095, 16_383])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_load_picture_of_a_camera_with_fewer_bits_is_not_dark(most: int, format: str) -> None:
    values = np.full((20, 20), most // 2, np.uint16)
    values[0, 0] = most
    assert close(centre(encode(Image.fromarray(values), format)), (127, 127, 127), 1)
    values[0, 0] = most + 1
    assert max(centre(encode(Image.fromarray(values), format))) < 127


def tiff(bits: int, photometric: int, data: bytes, side: int = 4) -> bytes:
    """Return an uncompressed grey TIFF with fields that Pillow does not write."""
    fields = [(256, side), (257, side), (258, bits), (259, 1), (262, photometric), (273, 8)]
    entries = b"".join(
        struct.pack("<HHII", *entry) for entry in [(tag, 3, 1, value) for tag, value in fields]
    ) + struct.pack("<HHII", 278, 3, 1, side)
    entries += struct.pack("<HHII", 279, 4, 1, len(data))
    header = b"II*\x00" + struct.pack("<I", 8 + len(data))
    return header + data + struct.pack("<H", 8) + entries + bytes(4)


def test_load_picture_scales_12_bit_grey() -> None:
    assert centre(tiff(12, 1, b"\xff" * 24)) == WHITE


def test_load_picture_inverts_16_bit_white_is_zero() -> None:
    assert centre(tiff(16, 0, bytes(32))) == WHITE
    assert centre(tiff(16, 0, b"\xff" * 32)) == BLACK


def test_load_picture_scales_integer_grey() -> None:
    usual = Image.fromarray(np.full((20, 20), 32_896, np.int32))
    assert centre(encode(usual, "TIFF")) == (128, 128, 128)
    wide = np.tile(np.array([-1_000_000, 3_000_000], np.int32).repeat(10), (20, 1))
    pixels = load_picture(encode(Image.fromarray(wide), "TIFF"), 20)
    assert (pixels[5, 0, 0], pixels[5, -1, 0]) == (0, 255)


def test_load_picture_scales_floats() -> None:
    half = Image.fromarray(np.full((20, 20), 0.5, np.float32))
    assert centre(encode(half, "TIFF")) == (128, 128, 128)
    wide = np.tile(np.array([-5.0, 15.0], np.float32).repeat(10), (20, 1))
    pixels = load_picture(encode(Image.fromarray(wide), "TIFF"), 20)
    assert (pixels[5, 0, 0], pixels[5, -1, 0]) == (0, 255)


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_load_picture_of_floats_that_are_no_numbers(strange: float) -> None:
    values = np.full((40, 40), 0.5, np.float32)
    values[:10, :10] = strange
    pixels = load_picture(encode(Image.fromarray(values), "TIFF"), 40)
    assert tuple(pixels[30, 30]) == (128, 128, 128)
    assert pixels[2, 2, 0] == (255 if strange == np.inf else 0)
    assert load_picture(encode(Image.fromarray(values[:5, :5]), "TIFF"), 8).shape == (8, 8, 3)


def test_load_picture_of_16_bit_rgb() -> None:
    row = struct.pack(">3H", 0x80FF, 0x00FF, 0xFFFF) * 8
    assert centre(raw_png(8, [row] * 8, bits=16, colour_type=2)) == (0x80, 0, 0xFF)


def test_load_picture_of_inverted_cmyk_jpeg() -> None:
    """Load a CMYK picture that Pillow wrote as Adobe does, inverted and with its marker."""
    data = encode(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in data
    assert close(centre(data), RED)


def test_load_picture_of_ycck_jpeg() -> None:
    """Load the samples of a CMYK picture declared as YCCK: the first is then lightness, the next two are neutral."""
    data = encode(Image.new("CMYK", (20, 20), (155, 127, 127, 0)), "JPEG", quality=95)
    transform = data.index(b"Adobe") + 11
    assert close(centre(data[:transform] + b"\x02" + data[transform + 1 :]), (155, 155, 155))
    assert close(centre(data), (100, 128, 128))


def test_load_picture_of_cmyk_tiff() -> None:
    assert close(centre(encode(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "TIFF")), RED)


def test_load_picture_of_jpeg_in_tiff() -> None:
    data = encode(Image.new("RGB", (32, 32), RED), "TIFF", compression="jpeg")
    assert close(centre(data), RED)


def test_load_picture_ignores_colour_profiles() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with_profile = encode(PLAIN, "PNG", icc_profile=profile)
    assert np.array_equal(load_picture(with_profile, 16), load_picture(encode(PLAIN, "PNG"), 16))


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_load_picture_takes_the_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, (0, 255, 0), (0, 0, 255))]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:])
    assert close(centre(data), RED, 12)
    assert verify_image(data).width == 20


def test_load_picture_sees_the_whole_picture_squashed() -> None:
    picture = Image.new("RGB", (300, 60))
    picture.paste(WHITE, (0, 0, 100, 60))
    bright = load_picture(encode(picture, "PNG"), 30)[15, :, 0] > 128
    assert bright.tolist() == [True] * 10 + [False] * 20


def test_load_picture_antialiases() -> None:
    stripes = np.zeros((400, 400), np.uint8)
    stripes[:, ::2] = 255
    assert close(centre(encode(Image.fromarray(stripes), "PNG"), 20), (127, 127, 127))


@pytest.mark.parametrize("size", [1, 16, 224, 299])
def test_load_picture_gives_rgb_bytes(size: int) -> None:
    picture = load_picture(make_jpeg(1), size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


@pytest.mark.parametrize("shape", [(2000, 1500), (3000, 500), (450, 449)])
def test_decoding_at_a_fraction_gives_nearly_the_full_decoding(shape: tuple[int, int]) -> None:
    data = photo_like_jpeg(3, *shape)
    fully = Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    difference = np.abs(load_picture(data, 224).astype(int) - np.asarray(fully).astype(int))
    assert difference.mean() < 1.5
    assert np.percentile(difference, 99) <= 6


def test_load_picture_in_many_threads_gives_the_same() -> None:
    saved = [encode(PLAIN, format) for format in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")]
    pictures = [*saved, *(photo_like_jpeg(seed) for seed in range(3))] * 6
    alone = [load_picture(data, 64) for data in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: load_picture(data, 64), pictures))
        facts = list(pool.map(verify_image, pictures))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))
    assert [fact.size for fact in facts] == [len(data) for data in pictures]


def test_very_flat_picture_loads() -> None:
    """Load a million pixels shrunk to eight: the weights for that must not fill the memory."""
    data = encode(Image.new("L", (1_000_000, 2), 77), "PNG")
    assert close(centre(data), (77, 77, 77))
