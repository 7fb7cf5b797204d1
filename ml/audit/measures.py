"""Measure a picture as it is decoded for its embedding, and what its file says of camera and day.

The kinds are those of CleanVision (dark, light, blurry, odd size and aspect ratio, low information), measured on the
small square that a backbone sees: what cannot be seen there cannot be learnt from.
"""

import hashlib
import io
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

EDGES = 112  # pixels
ROUNDING = 20 / 12  # the variance that rounding grey to whole numbers adds to the Laplacian
MAX_CAMERA = 60  # characters
_MODEL, _CHANGED, _EXIF_IFD, _TAKEN = 0x0110, 0x0132, 0x8769, 0x9003


@dataclass(frozen=True)
class Measures:
    """What was measured.

    Attributes:
        darkest, lightest: the grey, 0 to 255, that 5 % and 99 % of the pixels stay below.
        contrast: the standard deviation of the grey.
        sharpness: the variance of the Laplacian, as a share of that of the grey.
        pixels: a digest of the pixels.
        camera: the camera's model, empty if unknown.
        taken: the day when it was taken, if known.
    """

    darkest: float
    lightest: float
    contrast: float
    sharpness: float
    pixels: str
    camera: str = ""
    taken: date | None = None


def measure_picture(picture: Pixels, data: bytes) -> Measures:
    """Measure a picture, uint8 RGB (S, S, 3), and read the file that it was decoded from."""
    shades = Image.fromarray(picture).convert("L")
    grey = np.asarray(shades, np.int16)
    darkest, lightest = _percentiles(grey, (0.05, 0.99))
    contrast = float(grey.std())
    sharpness = max(float(_edges(shades).var()) - ROUNDING, 0.0) / max(contrast**2, 1.0)
    digest = hashlib.blake2b(picture.tobytes(), digest_size=8).hexdigest()
    return Measures(darkest, lightest, contrast, sharpness, digest, *read_origin(data))


def _edges(shades: Image.Image) -> NDArray[np.int16]:
    """Return the Laplacian of a grey picture, made so small that an enlarged one is as sharp as others."""
    grey = np.asarray(shades.resize((EDGES, EDGES), Image.Resampling.BOX), np.int16)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return np.asarray(4 * grey[1:-1, 1:-1] - around, np.int16)


def _percentiles(grey: NDArray[np.int16], shares: tuple[float, ...]) -> list[float]:
    below = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    return [float(np.searchsorted(below, share * grey.size)) for share in shares]


def read_origin(data: bytes) -> tuple[str, date | None]:
    """Return the camera's model and the day from a JPEG's EXIF block, as far as they are there and make sense."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "MPO")) as picture:
            exif = picture.getexif() if "exif" in picture.info else {}
            taken = exif.get_ifd(_EXIF_IFD).get(_TAKEN) if isinstance(exif, Image.Exif) else None
            return _clean(exif.get(_MODEL)), _parse_day(taken or exif.get(_CHANGED))
    except Exception:  # what strangers write there makes parsers raise all sorts, and nothing depends on it
        return "", None


def _clean(text: object) -> str:
    kept = "".join(letter for letter in text if letter.isprintable()) if isinstance(text, str) else ""
    return " ".join(kept.split())[:MAX_CAMERA]


def _parse_day(text: object) -> date | None:
    """Read “2024:05:31 12:00:00”."""
    if not isinstance(text, str):
        return None
    try:
        return date.fromisoformat(text[:10].replace(":", "-"))
    except ValueError:
        return None
