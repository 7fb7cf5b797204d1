"""Teach Pillow to read plain DICOM pictures with pydicom, where the extra `dicom` is installed.

Exports ship this file as it is, so that their programs read pictures as the site does. Therefore it imports nothing but
NumPy, Pillow and pydicom.
"""

import io
import threading
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
from PIL import Image, ImageFile

DICOM = "DICOM"  # the format's name in Pillow
_SIGNATURE, _SIGNATURE_AT = b"DICM", 128
_DEFLATED = b"1.2.840.10008.1.2.1.99"  # unpacking it has no bounds
_UNCOMPRESSED = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"})
_MODES = {"MONOCHROME1": "L", "MONOCHROME2": "L", "RGB": "RGB"}
_DEPTHS = (8, 16, 32)

_importing = threading.Lock()  # two threads at a time could see half of pydicom

_COMPRESSED = (
    "The pixels of this DICOM picture are compressed, which cannot be read. Save it uncompressed, or export it as PNG."
)


class DicomRefused(ValueError):
    """It is a DICOM file, and none that can be read. The message is a sentence for the user."""


def is_installed() -> bool:
    """Return whether DICOM pictures can be read."""
    return find_spec("pydicom") is not None


class DicomImageFile(ImageFile.ImageFile):
    """A single picture in a DICOM file: grey as its window says, or from its least to its largest value, or RGB."""

    format = DICOM
    format_description = "DICOM picture"

    def _open(self) -> None:
        assert self.fp is not None  # noqa: S101 - for the type checker
        data = self.fp.read()
        if not data.startswith(_SIGNATURE, _SIGNATURE_AT):
            raise SyntaxError("no DICOM file")
        self._dataset = _read(data)
        _check(self._dataset)
        self._size = (int(self._dataset.Columns), int(self._dataset.Rows))
        self._mode = _MODES[self._dataset.PhotometricInterpretation]

    def load(self) -> Any:
        """Bring the pixels to 8 bits. Raise `ValueError` if there are too few of them."""
        if self._dataset is not None:
            pixels = self._dataset.pixel_array
            grey = self._mode == "L"
            self.im = Image.fromarray(_to_8_bits(pixels, self._dataset) if grey else pixels.astype(np.uint8)).im
            self._dataset = None
        return Image.Image.load(self)


def _read(data: bytes) -> Any:
    """Parse the file. Raise `DicomRefused` for what may not be unpacked."""
    if _DEFLATED in data:
        raise DicomRefused(_COMPRESSED)
    with _importing:  # not before the first DICOM picture: it takes a fifth of a second and 20 MB
        import pydicom
    return pydicom.dcmread(io.BytesIO(data))


def _check(dataset: Any) -> None:
    """Raise `DicomRefused` unless it is one picture of a kind that can be read."""
    if "PixelData" not in dataset:
        raise DicomRefused("There is no picture in this DICOM file.")
    if int(dataset.get("NumberOfFrames") or 1) != 1:
        raise DicomRefused("This DICOM file holds several pictures. Export those that you need as PNG.")
    if str(dataset.file_meta.get("TransferSyntaxUID", "")) not in _UNCOMPRESSED:
        raise DicomRefused(_COMPRESSED)
    colours, depth = str(dataset.get("PhotometricInterpretation", "")), dataset.get("BitsAllocated")
    if colours not in _MODES or depth not in _DEPTHS or (colours == "RGB" and depth != 8):
        raise DicomRefused("The colours of this DICOM picture cannot be read. Export it as PNG.")


def _to_8_bits(pixels: Any, dataset: Any) -> Any:
    """Return grey of 0..255; what a DICOM calls MONOCHROME1 is white where its values are least."""
    values = pixels.astype(np.float32)
    values = values * _number(dataset, "RescaleSlope", 1.0) + _number(dataset, "RescaleIntercept", 0.0)
    low, high = _range_of(values, dataset)
    grey = np.clip(np.rint((values - low) * (255.0 / max(high - low, 1e-30))), 0, 255).astype(np.uint8)
    return 255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey


def _range_of(values: Any, dataset: Any) -> tuple[float, float]:
    """Return the values that become black and white: of the first window, if there is one."""
    centre, width = _number(dataset, "WindowCenter", np.nan), _number(dataset, "WindowWidth", np.nan)
    if np.isfinite(centre) and width > 1:
        low = centre - 0.5 - (width - 1) / 2
        return low, low + width - 1
    return float(values.min()), float(values.max())


def _number(dataset: Any, name: str, default: float) -> float:
    """Return the first number of an attribute."""
    value = dataset.get(name)
    if value is None or value == "":
        return default
    try:
        found = float(value if np.ndim(value) == 0 else value[0])
    except (TypeError, ValueError, IndexError):
        return default
    return found if np.isfinite(found) else default


def register() -> None:
    """Let Pillow open DICOM files."""
    if is_installed() and DICOM not in Image.ID:
        warnings.filterwarnings("ignore", module=r"pydicom\b")  # about each value that is not as the standard wants
        Image.register_open(DICOM, DicomImageFile)
