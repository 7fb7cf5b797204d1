"""The formats of picture files that are read: one line each, from which everything else derives."""

from dataclasses import dataclass
from importlib.util import find_spec

import pi_heif
from PIL import (  # noqa: F401 - the plugins register themselves when imported; no thread should at its first picture
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcoImagePlugin,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PcxImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TgaImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from ml.images import camera_raw, dicom

# A thumbnail in the file is no picture of its own, and what the camera's maker adds beside it is not needed.
pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
camera_raw.register()
dicom.register()


@dataclass(frozen=True)
class PictureFormat:
    """A format.

    Attributes:
        title: its name for people.
        mime: its type on the web.
        endings: of file names, only to choose from: what a file is, its content says.
        bytes_per_pixel: of memory that decoding takes at most: the decoder's own, the pixels, and a copy of them in
            another mode. Measured with Pillow 13, pi-heif 1.4, rawpy 0.28 and pydicom 3 on pictures of 24 to 100
            million pixels, and rounded up. A JPEG is decoded at a fraction of its size, beside its coefficients if they
            are kept (`ml.images.jpeg_scans`).
        is_shown: whether browsers show it, without a package of their own.
        extra: the extra that installs the package it `needs`, if it needs one.
    """

    title: str
    mime: str
    bytes_per_pixel: int
    endings: tuple[str, ...]
    is_shown: bool = False
    extra: str = ""
    needs: str = ""

    @property
    def is_read(self) -> bool:
        """Return whether the packages for it are installed."""
        return not self.needs or find_spec(self.needs) is not None


# By Pillow's names, in the order in which they are tried.
FORMATS: dict[str, PictureFormat] = {
    "JPEG": PictureFormat("JPEG", "image/jpeg", 4, ("jpg", "jpeg"), is_shown=True),
    "PNG": PictureFormat("PNG", "image/png", 8, ("png",), is_shown=True),
    "WEBP": PictureFormat("WebP", "image/webp", 16, ("webp",), is_shown=True),
    "GIF": PictureFormat("GIF", "image/gif", 8, ("gif",), is_shown=True),
    "BMP": PictureFormat("BMP", "image/bmp", 8, ("bmp",), is_shown=True),
    "DIB": PictureFormat("BMP", "image/bmp", 8, ("dib",), is_shown=True),
    camera_raw.RAW: PictureFormat(  # before TIFF, which the preview of most of them is
        "camera raw",
        "image/x-dcraw",
        16,
        ("dng", "cr2", "cr3", "nef", "nrw", "arw", "raf", "orf", "rw2", "pef", "srw"),
        extra="raw",
        needs="rawpy",
    ),
    "TIFF": PictureFormat("TIFF", "image/tiff", 16, ("tif", "tiff")),
    "HEIF": PictureFormat("HEIC", "image/heic", 16, ("heic", "heif", "hif")),
    "AVIF": PictureFormat("AVIF", "image/avif", 16, ("avif",), is_shown=True),
    "JPEG2000": PictureFormat("JPEG 2000", "image/jp2", 28, ("jp2", "j2k", "jpf", "jpx")),
    "ICO": PictureFormat("ICO", "image/x-icon", 8, ("ico",), is_shown=True),
    "PPM": PictureFormat("PPM", "image/x-portable-anymap", 8, ("ppm", "pgm", "pbm", "pnm")),
    "PCX": PictureFormat("PCX", "image/x-pcx", 8, ("pcx",)),
    dicom.DICOM: PictureFormat("DICOM", "application/dicom", 24, ("dcm",), extra="dicom", needs="pydicom"),
    "TGA": PictureFormat("TGA", "image/x-tga", 8, ("tga",)),  # last: it has no signature
}
READ = tuple(name for name, format in FORMATS.items() if format.is_read)  # here
# What Pillow calls a JPEG with further pictures behind it: for a second lens, or a larger preview.
_OTHER_NAMES = {"MPO": "JPEG"}
MOST_BYTES_PER_PIXEL = max(format.bytes_per_pixel for format in FORMATS.values())


def known_name(name: str | None) -> str:
    """Return the name in FORMATS of what Pillow calls `name`."""
    return _OTHER_NAMES.get(name or "", name or "")


def bytes_per_pixel(name: str | None) -> int:
    """Return what a pixel of this format may take to decode."""
    known = FORMATS.get(known_name(name))
    return known.bytes_per_pixel if known else MOST_BYTES_PER_PIXEL


def list_titles() -> list[str]:
    """Return the names of the formats that are read here, for people, each once."""
    return list(dict.fromkeys(FORMATS[name].title for name in READ))


def list_endings() -> list[str]:
    """Return the usual endings of files that are read here."""
    return [ending for name in READ for ending in FORMATS[name].endings]
