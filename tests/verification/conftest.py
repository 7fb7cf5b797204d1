"""The true backbones, each built and converted once per run, and photos that come with scikit-learn."""

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from ml.backbones.registry import BACKBONES
from ml.engines.litert import LiteRTEngine

NAMES = sorted(name for name, backbone in BACKBONES.items() if not backbone.hidden and not backbone.published)
CLASSIFIERS = [name for name in NAMES if not BACKBONES[name].members]

# Run apart: TensorFlow must not be loaded into the process that runs the tests. All in one, which loads it once.
BUILD = """
import sys
from pathlib import Path
import numpy as np
from ml.backbones.registry import get_backbone
from ml.engines.conversion import convert
from poetsweb.folders import ML
folder = Path(sys.argv[1])
for name in sys.argv[2:]:
    backbone = get_backbone(name, ML)
    convert(backbone, folder / f"{name}.tflite")
    pictures = np.load(folder / f"{name}.npy").astype(np.float32)
    made = {"features": backbone.build_network()(pictures, training=False)}
    if not backbone.members:
        classifier = backbone.builder(backbone.find_weights(ML), backbone.input_size, classifier=True)
        made["logits"] = classifier(pictures, training=False)
    np.savez(folder / f"{name}.npz", **made)
"""


@dataclass(frozen=True)
class Built:
    """A backbone as LiteRT runs it, and what its Keras build makes of the same pictures."""

    path: Path  # of the converted file
    pictures: NDArray[np.uint8]  # (N, S, S, 3), the named photos first
    features: NDArray[np.float32]  # (N, F)
    logits: NDArray[np.float32] | None  # (N, 1000), of a network that is a classifier

    @cached_property
    def engine(self) -> LiteRTEngine:
        return LiteRTEngine(self.path)


@pytest.fixture(scope="session")
def all_built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    folder = tmp_path_factory.mktemp("built")
    drawn = {name: _draw_pictures(BACKBONES[name].input_size) for name in NAMES}
    for name, pictures in drawn.items():
        np.save(folder / f"{name}.npy", pictures)
    command = [sys.executable, "-c", BUILD, str(folder), *NAMES]
    done = subprocess.run(command, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: _read(name, folder, pictures) for name, pictures in drawn.items()}


@pytest.fixture(params=NAMES)
def built(request: pytest.FixtureRequest, all_built: dict[str, Built]) -> Built:
    return all_built[request.param]


def _read(name: str, folder: Path, pictures: NDArray[np.uint8]) -> Built:
    with np.load(folder / f"{name}.npz") as arrays:
        return Built(folder / f"{name}.tflite", pictures, arrays["features"], arrays.get("logits"))


def photo_names() -> list[str]:
    return [Path(name).name for name in load_sample_images().filenames]


def _draw_pictures(size: int) -> NDArray[np.uint8]:
    """Draw the middles of the sample photos, one of them mirrored, noise and the extremes."""
    photos = [_middle(pixels, size) for pixels in load_sample_images().images]
    noise = np.random.default_rng(4).integers(0, 256, (size, size, 3), dtype=np.uint8)
    flat = [np.full((size, size, 3), value, np.uint8) for value in (0, 255)]
    return np.stack([*photos, photos[-1][:, ::-1], noise, *flat])


def _middle(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))
