"""Teach Pillow to develop camera raw pictures with LibRaw, where the extra `raw` is installed.

Exports ship this file as it is, so that their programs read pictures as the site does. Therefore it imports nothing but
NumPy, Pillow and rawpy.
"""

import struct
from importlib.util import find_spec
from typing import Any

from PIL import Image, ImageFile

RAW = "RAW"  # the format's name in Pillow
_SIGNATURES = (
    *((0, signature) for signature in (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\x00")),
    *((4, b"ftypcrx"), (8, b"CR\x02")),
)
_SUBFILE, _MAKER, _SUB_DIRECTORIES, _DNG_VERSION = 254, 271, 330, 50706  # tags of a TIFF
_REDUCED = 1
_MOST_TAGS = 200
_TURNED = (5, 6)  # how LibRaw calls a quarter turn


def is_installed() -> bool:
    """Return whether raw pictures can be developed."""
    return find_spec("rawpy") is not None


def is_raw(data: bytes) -> bool:
    """Return whether bytes are a camera raw picture by how they begin."""
    return any(data.startswith(signature, at) for at, signature in _SIGNATURES) or _is_raw_tiff(data)


def _is_raw_tiff(data: bytes) -> bool:
    """Return whether a TIFF is a DNG, or what Nikon, Sony and others make: a preview, and the picture behind it."""
    try:
        tags = _read_tags(data)
    except struct.error:
        return False
    return _DNG_VERSION in tags or bool(tags.get(_SUBFILE, 0) & _REDUCED and {_MAKER, _SUB_DIRECTORIES} <= tags.keys())


def _read_tags(data: bytes) -> dict[int, int]:
    """Return the tags of the first directory with the four bytes that are a value or where it lies."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(data[:4])
    if order is None:
        return {}
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    entries = (struct.unpack_from(order + "HHII", data, start + 2 + 12 * n) for n in range(min(count, _MOST_TAGS)))
    return {tag: value for tag, _, _, value in entries}


class RawImageFile(ImageFile.ImageFile):
    """A raw picture, developed when it is loaded: upright, 8-bit RGB, with the camera's white balance."""

    format = RAW
    format_description = "camera raw picture"

    def _open(self) -> None:
        assert self.fp is not None  # noqa: S101 - for the type checker
        data = self.fp.read()
        if not is_raw(data):
            raise SyntaxError("no camera raw picture")
        self._raw = _open_raw(self.fp)
        sizes = self._raw.sizes
        self._size = (sizes.iheight, sizes.iwidth) if sizes.flip in _TURNED else (sizes.iwidth, sizes.iheight)
        self._mode = "RGB"

    def load(self) -> Any:
        """Develop the picture. Raise `OSError` if its bytes are damaged."""
        import rawpy

        if self._raw is not None:
            try:
                pixels = self._raw.postprocess(use_camera_wb=True, output_bps=8)
            except rawpy.LibRawError as error:
                raise OSError(str(error)) from error
            finally:
                self._raw.close()
                self._raw = None
            self.im = Image.fromarray(pixels).im
            self._size = self.im.size
        return Image.Image.load(self)


def _open_raw(file: Any) -> Any:
    """Read the header with LibRaw. Raise `SyntaxError` if it does not know it."""
    import rawpy

    file.seek(0)
    try:
        return rawpy.imread(file)
    except rawpy.LibRawError as error:
        raise SyntaxError(str(error)) from error


def register() -> None:
    """Let Pillow open raw pictures, before it takes them for the TIFF of their preview."""
    if is_installed() and RAW not in Image.ID:
        import rawpy  # noqa: F401 - no thread should import it at its first picture

        Image.register_open(RAW, RawImageFile)
        Image.ID.insert(0, Image.ID.pop())
