"""Test that the memory for JPEGs of several scans is counted, whose coefficients libjpeg keeps all at once."""

import io
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from PIL import Image

from ml.images.budget import estimate_bytes
from ml.images.decoding import ImageRejected, load_picture, verify_image
from ml.images.jpeg_scans import has_several_scans
from tests.pictures import encode

SIZE = (3000, 2000)


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each segment of a JPEG of one scan with its marker; the last one is the scan with its data."""
    place = 2
    while data[place + 1] != 0xDA:
        length = 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        yield data[place + 1], data[place : place + length]
        place += length
    yield 0xDA, data[place:-2]


def in_scans(colours: int, size: tuple[int, int] = SIZE, *, repeated: int = 1) -> bytes:
    """Return a sequential JPEG in which each colour, the same for all, has a scan of its own."""
    grey = list(segments(encode(Image.new("L", size, 90), "JPEG")))
    tables = b"".join(data for marker, data in grey if marker in (0xDB, 0xC4))
    coded = grey[-1][1][10:]  # after the header of the scan
    names = range(1, colours + 1)
    frame = struct.pack(">BBHBHHB", 0xFF, 0xC0, 8 + 3 * colours, 8, size[1], size[0], colours)
    frame += b"".join(bytes([name, 0x11, 0]) for name in names)
    scans = b"".join(b"\xff\xda\x00\x08\x01" + bytes([name, 0, 0, 63, 0]) + coded for name in names)
    return b"\xff\xd8" + tables + frame + scans * repeated + b"\xff\xd9"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def estimate(data: bytes) -> int:
    picture = opened(data)
    picture.draft("L", (SIZE[0] // 8, SIZE[1] // 8))
    return estimate_bytes(picture, SIZE)


NEEDS = """
import re, sys
from pathlib import Path
from ml.images.decoding import verify_image

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1])

data = sys.stdin.buffer.read()
before = peak()
verify_image(data)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the peak of a process")
@pytest.mark.parametrize("colours", [3, 4])
def test_estimate_is_what_a_sequential_jpeg_of_several_scans_takes(colours: int) -> None:
    data = in_scans(colours)
    asked = subprocess.run([sys.executable, "-c", NEEDS], input=data, capture_output=True, timeout=60, check=True)
    needed = int(asked.stdout)
    assert needed > 2 * colours * SIZE[0] * SIZE[1] * 0.9
    assert needed - 4 * 2**20 < estimate(data) < needed * 1.2


def test_sequential_jpeg_of_several_scans_costs_what_a_progressive_one_does() -> None:
    progressive = encode(Image.new("RGB", SIZE), "JPEG", progressive=True, subsampling="4:4:4")
    assert estimate(in_scans(3)) == estimate(progressive)


def test_fewer_coefficients_of_subsampled_colours_are_counted() -> None:
    whole, half = (
        estimate(encode(Image.new("RGB", SIZE), "JPEG", progressive=True, subsampling=name))
        for name in ("4:4:4", "4:2:0")
    )
    assert whole - half == 3 * SIZE[0] * SIZE[1]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_one_scan_is_not_counted_as_several_though_there_is_a_thumbnail(mode: str) -> None:
    tags = Image.Exif()
    tags[0x010E] = in_scans(3, (64, 64)).decode("latin-1")
    data = encode(Image.new(mode, (64, 64)), "JPEG", exif=tags, comment=in_scans(3, (64, 64)))
    assert data.count(b"\xff\xda") > 3
    picture = opened(data)
    assert not has_several_scans(picture)
    picture.load()


def test_jpeg_of_several_scans_is_read() -> None:
    data = in_scans(3, (64, 64))
    assert has_several_scans(opened(data))
    assert verify_image(data).width == 64
    assert load_picture(data, 8).shape == (8, 8, 3)


def test_sequential_jpeg_of_endless_scans_is_refused() -> None:
    with pytest.raises(ImageRejected, match="unusual way"):
        verify_image(in_scans(3, (64, 64), repeated=100))


@pytest.mark.parametrize("filler", [b"\xff", b"\x00", b"\xff\x00", b"\xff\x01", b"\xff\xfe\x00\x02"])
def test_what_is_before_the_scan_does_not_make_it_slow(filler: bytes) -> None:
    data = in_scans(3, (64, 64))
    picture = opened(data)
    picture.fp = io.BytesIO(data[:2] + filler * (2**24 // len(filler)) + data[2:])
    begun = time.process_time()
    assert has_several_scans(picture)
    assert time.process_time() - begun < 0.5
