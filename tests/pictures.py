"""Pictures made in code, so that no test carries files and every byte is the same for the same seed.

`make_jpeg` is the small change of the tests: a patch of one colour with a little noise, so that classes
can be told apart. `photo_like_jpeg` costs a codec what a photo costs, for benchmarks and limits.
"""

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

# Grid width of the noise and its amplitude in grey levels: large soft shapes, texture, grain.
PHOTO_SCALES = ((4, 70.0), (12, 45.0), (40, 26.0), (130, 18.0))


def make_jpeg(seed: int, size: tuple[int, int] = (64, 48), colour: Colour | None = None) -> bytes:
    """Make a JPEG of `size` (width, height): `colour`, or one drawn from the seed, under light noise."""
    rng = np.random.default_rng(seed)
    base = rng.integers(40, 216, 3) if colour is None else np.array(colour)
    noise = rng.integers(-12, 13, (size[1], size[0], 3))
    pixels = np.clip(base + noise, 0, 255).astype(np.uint8)
    return encode(Image.fromarray(pixels), "JPEG", quality=90)


def photo_like_jpeg(seed: int, width: int = 500, height: int = 375, quality: int = 87) -> bytes:
    """Make a JPEG that costs a codec what a photo costs: noise at several scales and a few shapes.

    It has about 40 KB at the default size and depends only on the seed.
    """
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(_photo_pixels(rng, width, height))
    _draw_shapes(ImageDraw.Draw(picture), rng, width, height)
    return encode(picture, "JPEG", quality=quality)


def encode(picture: Image.Image, format: str, **options: object) -> bytes:
    """Return the bytes of `picture` saved as `format` with Pillow's `options`."""
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def encode_heic(picture: Image.Image, **options: object) -> bytes:
    """Return a HEIC as iPhones write it. It needs a package for developers."""
    import pillow_heif  # it writes what the lighter package of the product only reads

    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """Make one chunk of a PNG with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(width: int, rows: list[bytes], bits: int, colour_type: int, extra: bytes = b"") -> bytes:
    """Make a PNG of given rows, in the depths and with the chunks that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\x00" + row for row in rows))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def exif(orientation: int) -> bytes:
    """Make an EXIF block that holds nothing but `orientation`."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def _photo_pixels(rng: np.random.Generator, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Draw uint8 (height, width, 3): grey noise at all scales, colour at the two coarsest, as in photos."""
    total = np.full((height, width, 3), 118.0, np.float32)
    for index, (grid, amplitude) in enumerate(PHOTO_SCALES):
        channels = 3 if index < 2 else 1
        total += _smooth_noise(rng, grid, channels, width, height) * amplitude
    return np.clip(total, 0, 255).astype(np.uint8)


def _smooth_noise(
    rng: np.random.Generator, grid: int, channels: int, width: int, height: int
) -> npt.NDArray[np.float32]:
    """Draw float32 (height, width, channels): noise on a grid `grid` cells wide, enlarged to the picture."""
    rows = max(2, grid * height // width)
    planes = rng.standard_normal((channels, rows, grid)).astype(np.float32)
    blown_up = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)) for plane in planes
    ]
    return np.stack(blown_up, axis=2)


def _draw_shapes(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int, height: int) -> None:
    for _ in range(6):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        radius = int(rng.integers(width // 30 + 1, width // 8 + 2))
        fill = tuple(int(level) for level in rng.integers(20, 236, 3))
        draw.ellipse((x - radius, y - radius // 2, x + radius, y + radius // 2), fill=fill)
