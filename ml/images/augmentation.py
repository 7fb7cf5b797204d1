"""Make augmented copies of a picture: further training pictures that show the same thing a little differently.

The four augmentations are the distortions of TensorFlow for Poets (`add_input_distortions` in its retrain.py), which
drew new ones at every step and computed the features every time. Here a picture has a few fixed augmented copies, so
that their features are computed once and cached like any others.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.images.decoding import ImageRejected, PictureUnreadable, load_picture
from ml.images.rendering import Framing

# Bump whenever the same copy may come out with other pixels: embeddings of copies are cached by this number.
# 1: first version.
AUGMENTATION_VERSION = 1


@dataclass(frozen=True)
class Augmentation:
    """One augmented copy of each picture: its number, from 1, and the strength of each augmentation in per cent."""

    number: int
    flip_left_right: bool
    random_crop: int
    random_scale: int
    random_brightness: int

    @property
    def marker(self) -> str:
        """Return a name of at most 20 characters for everything, apart from the picture, that a copy depends on."""
        flip = int(self.flip_left_right)
        percents = f"c{self.random_crop}s{self.random_scale}b{self.random_brightness}"
        return f"d{AUGMENTATION_VERSION}f{flip}{percents}v{self.number}"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)


def load_augmented(
    data: bytes, size: int, augmentation: Augmentation | None, framing: Framing = Framing.WHOLE
) -> npt.NDArray[np.uint8]:
    """Load an augmented copy of a picture as a backbone sees it or, without an augmentation, the picture itself.

    Return uint8 RGB of shape (size, size, 3), the same on every machine. Raise `ImageRejected` if the bytes are no
    readable picture.

    As in the original, the picture is enlarged by `random_crop` and by a factor up to `random_scale`, and a square of
    the wanted size is cut out at a random position; its levels are multiplied by a factor of 1 ± `random_brightness`
    and clipped at 255. Every other copy is mirrored, where the original tossed a coin.
    """
    if augmentation is None:
        return load_picture(data, size, framing=framing)
    zoom, top, left, light = _draw(data, augmentation)
    factor = (1 + augmentation.random_crop / 100) * (1 + zoom * augmentation.random_scale / 100)
    enlarged = load_picture(data, int(size * factor), framing=framing)
    spare = len(enlarged) - size + 1  # positions for the square
    rows, columns = (slice(int(share * spare), int(share * spare) + size) for share in (top, left))
    cut = enlarged[rows, columns]
    mirrored = cut[:, ::-1] if augmentation.flip_left_right and augmentation.number % 2 else cut
    return _brighten(mirrored, 1 + (2 * light - 1) * augmentation.random_brightness / 100)


def load_stored(
    sha256: str,
    read: Callable[[str], bytes],
    size: int,
    augmentation: Augmentation | None = None,
    framing: Framing = Framing.WHOLE,
) -> npt.NDArray[np.uint8]:
    """Read one of many stored pictures by its sha256, and load it as `load_augmented` does.

    Raise `PictureUnreadable`, which names the picture, if it cannot be decoded, and whatever `read` raises.
    """
    try:
        return load_augmented(read(sha256), size, augmentation, framing)
    except ImageRejected as error:
        raise PictureUnreadable(sha256, error) from error


def _draw(data: bytes, augmentation: Augmentation) -> list[float]:
    """Return four numbers in [0, 1) that depend on the picture's content and the augmentation.

    They come from a hash rather than from NumPy's generators, whose numbers may differ between releases.
    """
    seed = f"{hashlib.sha256(data).hexdigest()} {augmentation.marker}"
    drawn = hashlib.shake_256(seed.encode()).digest(4 * 8)
    # 53 bits are what a float holds; with all 64, the largest would be rounded up to 1.
    return [(int.from_bytes(drawn[start : start + 8]) >> 11) / 2**53 for start in range(0, len(drawn), 8)]


def _brighten(picture: npt.NDArray[np.uint8], factor: float) -> npt.NDArray[np.uint8]:
    levels = np.clip(np.rint(np.arange(256) * factor), 0, 255).astype(np.uint8)
    return np.asarray(levels[picture])
