"""Tell a JPEG that lacks only its end mark, as some webcams write it, from one that is cut off.

Exports ship this file as it is, like `rendering.py`: it imports nothing but NumPy and Pillow.
"""

import io

import numpy as np
from PIL import Image

_START, _END, _SCAN = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
# Coded data of no picture in particular. What is appended has no influence where all coefficients were there before.
_PADDINGS = (bytes(64), b"\x55" * 64)


def has_end(data: bytes) -> bool:
    """Return whether there is an end mark behind the last scan, or the file is no JPEG at all."""
    return not data.startswith(_START) or data.rfind(_END) > data.rfind(_SCAN)


def with_end(data: bytes) -> bytes | None:
    """Return the JPEG with an end mark if all its pixels are there, and None if some are missing.

    A decoder fills up what is missing without a word. So the picture is decoded twice, with other data appended each
    time: if anything was missing, the pixels differ. Of a progressive picture whole scans may be missing without a
    trace, so none is accepted. Raise whatever Pillow raises over damaged data.
    """
    first, second = (_decode(data + padding + _END) for padding in _PADDINGS)
    if first is None or second is None or not np.array_equal(first, second):
        return None
    return data + _END


def _decode(data: bytes) -> "np.typing.NDArray[np.uint8] | None":
    picture = Image.open(io.BytesIO(data), formats=("JPEG",))
    if "progressive" in picture.info or not _is_one_scan(data, len(picture.getbands())):
        return None
    return np.asarray(picture)


def _is_one_scan(data: bytes, components: int) -> bool:
    """Return whether the last scan holds all colours: they may also come one after the other."""
    scan = data.rfind(_SCAN)
    return data[scan + 4 : scan + 5] == bytes([components])
