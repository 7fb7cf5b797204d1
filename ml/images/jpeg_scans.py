"""Tell which JPEGs are decoded as a whole: libjpeg keeps the coefficients of all that come in more than one scan."""

from typing import IO, Any

from PIL import Image

_START_OF_SCAN, _END = 0xDA, 0xD9
_BARE = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})  # no markers, or markers that no length follows
_MOST_STEPS = 5000  # before the first scan; a profile of colours takes 255 segments at most
_COEFFICIENT = 2  # bytes
_SMALL = 2**23  # bytes


def coefficient_bytes(picture: Image.Image, size: tuple[int, int]) -> int:
    """Return how many bytes the coefficients of an opened JPEG of this size take, or 0 if none are kept.

    Of a small picture they count in any case: to find out takes longer than they are worth.
    """
    layers: list[tuple[int, int, int, int]] = getattr(picture, "layer", [])  # (name, height, width, table) of each
    if not layers:
        return 0
    # A colour that is stored at half the width and height has a quarter of the coefficients.
    largest = max(layer[1] for layer in layers) * max(layer[2] for layer in layers)
    samples = sum(layer[1] * layer[2] for layer in layers)
    size_of_all = _COEFFICIENT * size[0] * size[1] * samples // max(largest, 1)
    return size_of_all if size_of_all <= _SMALL or has_several_scans(picture) else 0


def has_several_scans(picture: Image.Image) -> bool:
    """Return whether an opened JPEG is progressive, or has a first scan without all of its colours.

    That is how libjpeg decides it, before it reads a scan. A file whose first scan is not found counts as one.
    """
    if "progressive" in picture.info:
        return True
    file: Any = picture.fp  # type: ignore[attr-defined]
    before = file.tell()
    try:
        file.seek(0)
        return _colours_of_first_scan(file) != len(getattr(picture, "layer", []))
    finally:
        file.seek(before)


def _colours_of_first_scan(file: IO[bytes]) -> int:
    """Return how many colours the first scan has, or 0 if there is none where one should be.

    What a segment holds, such as a smaller picture, is passed over. Neither the size of the file nor what is in it
    makes this slow.
    """
    file.read(2)
    begun = False  # whether the byte before can begin a marker; libjpeg passes over what is between segments
    for _ in range(_MOST_STEPS):
        marker = int.from_bytes(file.read(1), "big")
        if marker == 0xFF or not begun or marker in _BARE:
            begun = marker == 0xFF
            continue
        length = int.from_bytes(file.read(2), "big")
        if marker == _START_OF_SCAN:
            return int.from_bytes(file.read(1), "big")
        if marker == _END or length < 2:
            break
        file.seek(length - 2, 1)
        begun = False
    return 0
