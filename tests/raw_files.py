"""Make a small camera raw picture by hand: a DNG, whose sensor has a red, two green and a blue cell."""

import struct

import numpy as np
import numpy.typing as npt

_BYTE, _ASCII, _SHORT, _LONG, _FRACTION, _SIGNED_FRACTION = 1, 2, 3, 4, 5, 10
_SIZES = {_BYTE: "B", _ASCII: "B", _SHORT: "H", _LONG: "I", _FRACTION: "I", _SIGNED_FRACTION: "i"}
_WHITE = 16383


def make_dng(pixels: npt.NDArray[np.float64], *, orientation: int = 1, claims: tuple[int, int] | None = None) -> bytes:
    """Return a DNG of linear colours (H, W, 3) from 0 to 1; `claims` is another size for its header."""
    height, width = pixels.shape[:2]
    cells = np.empty((height, width))
    for y, x, colour in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        cells[y::2, x::2] = pixels[y::2, x::2, colour]
    data = np.rint(cells * _WHITE).astype("<u2").tobytes()
    wide, high = claims or (width, height)
    identity = [value for row in np.eye(3, dtype=int) for cell in row for value in (int(cell), 1)]
    tags: list[tuple[int, int, list[int]]] = [
        (254, _LONG, [0]),
        (256, _LONG, [wide]),
        (257, _LONG, [high]),
        (258, _SHORT, [16]),
        (259, _SHORT, [1]),
        (262, _SHORT, [32803]),
        (271, _ASCII, [*b"Maker\0"]),
        (272, _ASCII, [*b"Camera\0"]),
        (273, _LONG, [0]),  # where the pixels are, filled in below
        (274, _SHORT, [orientation]),
        (277, _SHORT, [1]),
        (278, _LONG, [high]),
        (279, _LONG, [len(data)]),
        (33421, _SHORT, [2, 2]),
        (33422, _BYTE, [0, 1, 1, 2]),
        (50706, _BYTE, [1, 4, 0, 0]),
        (50708, _ASCII, [*b"Maker Camera\0"]),
        (50717, _LONG, [_WHITE]),
        (50721, _SIGNED_FRACTION, identity),
        (50728, _FRACTION, [1, 1, 1, 1, 1, 1]),
    ]
    return _write_tiff(tags, data)


def _write_tiff(tags: list[tuple[int, int, list[int]]], data: bytes) -> bytes:
    behind = 8 + 2 + 12 * len(tags) + 4
    entries, more = [], b""
    sizes = {tag: len(struct.pack(f"<{len(values)}{_SIZES[kind]}", *values)) for tag, kind, values in tags}
    start = behind + sum(size + size % 2 for size in sizes.values() if size > 4)
    for tag, kind, values in tags:
        packed = struct.pack(f"<{len(values)}{_SIZES[kind]}", *([start] if tag == 273 else values))
        count = len(values) // 2 if kind in (_FRACTION, _SIGNED_FRACTION) else len(values)
        if len(packed) > 4:
            place = struct.pack("<I", behind + len(more))
            more += packed + bytes(len(packed) % 2)
        else:
            place = packed.ljust(4, b"\0")
        entries.append(struct.pack("<HHI", tag, kind, count) + place)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(entries) + bytes(4) + more + data
