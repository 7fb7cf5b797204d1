"""The true backbone, converted once per run, and photos that come with scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from worker.backbones import get_backbone
from worker.backbones.convert import ensure_tflite
from worker.backbones.engine import LiteRTEngine


@pytest.fixture(scope="session")
def lite0(tmp_path_factory: pytest.TempPathFactory) -> LiteRTEngine:
    folder = tmp_path_factory.mktemp("backbones")
    return LiteRTEngine(ensure_tflite(get_backbone("efficientnet_lite0"), folder))


@pytest.fixture(scope="session")
def photos() -> dict[str, NDArray[np.uint8]]:
    """The middle squares of the sample photos, 224 pixels wide, by file name."""
    bunch = load_sample_images()
    return {Path(name).name: _middle(pixels) for name, pixels in zip(bunch.filenames, bunch.images, strict=True)}


def _middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((224, 224), Image.Resampling.BICUBIC))
