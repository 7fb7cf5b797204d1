"""EfficientNet-Lite0 is the network it says it is, and stays so on its way to LiteRT."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.backbones.engine import LiteRTEngine

pytestmark = pytest.mark.verification

Photos = dict[str, NDArray[np.uint8]]

# Run apart: TensorFlow must not be loaded into the process that runs the tests.
KERAS = """
import sys
import numpy as np
from worker.backbones import get_backbone
backbone = get_backbone("efficientnet_lite0")
pictures = np.load(sys.argv[1]).astype(np.float32)
classifier = backbone.recipe(backbone.find_weights(), backbone.input_size, classifier=True)
features = backbone.build_network()(pictures, training=False)
np.savez(sys.argv[2], features=features, logits=classifier(pictures, training=False))
"""

# ImageNet's numbers of what can be seen in the photos.
NAMES = {
    "china.jpg": {698, 442, 663},  # palace, bell cote, monastery
    "flower.jpg": {985},  # daisy, the nearest of the three flowers ImageNet has
}


@pytest.fixture(scope="module")
def pictures(photos: Photos) -> NDArray[np.uint8]:
    """The two photos, one of them mirrored, noise and the extremes."""
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    flat = [np.full((224, 224, 3), value, np.uint8) for value in (0, 255)]
    return np.stack([*photos.values(), photos["flower.jpg"][:, ::-1], noise, *flat])


@pytest.fixture(scope="module")
def keras(pictures: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> dict[str, NDArray[np.float32]]:
    """What the Keras build makes of the pictures: features (N, 1280) and logits (N, 1000)."""
    folder: Path = tmp_path_factory.mktemp("keras")
    np.save(folder / "pictures.npy", pictures)
    command = [sys.executable, "-c", KERAS, str(folder / "pictures.npy"), str(folder / "out.npz")]
    subprocess.run(command, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}, check=True, capture_output=True)
    with np.load(folder / "out.npz") as arrays:
        return dict(arrays)


def test_litert_agrees_with_keras(
    lite0: LiteRTEngine, pictures: NDArray[np.uint8], keras: dict[str, NDArray[np.float32]]
) -> None:
    assert (lite0.input_size, lite0.features) == (224, 1280)
    features = lite0.embed(pictures)
    assert features.std() > 0.1  # not the agreement of two networks that say nothing
    np.testing.assert_allclose(features, keras["features"], atol=1e-3)


def test_litert_features_do_not_depend_on_the_batch(lite0: LiteRTEngine, pictures: NDArray[np.uint8]) -> None:
    one_by_one = np.concatenate([lite0.embed(picture[None]) for picture in pictures])
    np.testing.assert_array_equal(lite0.embed(pictures), one_by_one)


def test_classifier_names_known_photos(photos: Photos, keras: dict[str, NDArray[np.float32]]) -> None:
    for name, logits in zip(photos, keras["logits"], strict=False):
        top5 = set(np.argsort(logits)[::-1][:5].tolist())
        assert top5 >= NAMES[name], f"{name}: {top5}"
