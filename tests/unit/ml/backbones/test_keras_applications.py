"""Test the networks whose weights no package contains: their names, their scaling, and a file made for the test."""

from pathlib import Path

import numpy as np
import pytest

from ml.backbones.backbone import Backbone
from ml.backbones.keras_applications import _scale, list_keras_applications
from ml.backbones.registry import BACKBONES, get_backbone
from ml.backbones.weights import WeightsMissing
from ml.engines.conversion import ConversionFailed, ensure_tflite
from ml.engines.litert import LiteRTEngine
from ml.images.decoding import load_picture
from ml.settings import MLSettings
from poetsweb.folders import ML
from tests.pictures import photo_like_jpeg
from tests.weights_files import MOBILENET, MOBILENET_FILE, make_mobilenet, write_weights

WIDTHS, SIZES = ("1.0", "0.75", "0.50", "0.25"), (224, 192, 160, 128)
POETS = ["inception_v3", *(f"mobilenet_{width}_{size}" for width in WIDTHS for size in SIZES)]
APPLICATIONS = {application.name: application for application in list_keras_applications()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder


@pytest.fixture
def backbone(folder: Path, tmp_path: Path) -> Backbone:
    """Return a backbone whose weights cannot be downloaded."""
    return get_backbone(MOBILENET, MLSettings(folder, tmp_path / "backbones", "http://127.0.0.1:1"))


@pytest.mark.parametrize("name", POETS)
def test_names_of_tensorflow_for_poets(name: str) -> None:
    backbone = get_backbone(name, ML)
    if name.startswith("mobilenet"):
        _, width, size = name.split("_")
        assert (backbone.input_size, backbone.features) == (int(size), int(1024 * float(width)))
    else:
        assert (backbone.input_size, backbone.features) == (299, 2048)


def test_the_others_go_by_keras_own_names() -> None:
    assert {"resnet50", "densenet121", "efficientnetb0", "convnexttiny", "vgg16"} <= set(BACKBONES)


def test_all_say_where_they_come_from() -> None:
    for application in APPLICATIONS.values():
        assert application.path.endswith(".h5")
        assert application.licence
        assert application.checksum is None or len(application.checksum) in (32, 64)
        assert application.alpha is not None or application.checksum is not None


@pytest.mark.slow
@pytest.mark.parametrize(("scaling", "module"), [("tf", "mobilenet"), ("caffe", "vgg16"), ("torch", "densenet")])
def test_scaled_as_keras_does_it(scaling: str, module: str) -> None:
    keras = pytest.importorskip("keras")
    picture = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3)).astype(np.float32)
    entry = keras.Input((4, 4, 3))
    found = np.asarray(keras.Model(entry, _scale(entry, scaling))(picture))
    expected = getattr(keras.applications, module).preprocess_input(picture.copy())
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_missing_weights_say_when_they_come(backbone: Backbone) -> None:
    with pytest.raises(WeightsMissing, match="The first training with this backbone downloads them"):
        _ = backbone.digest


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras
def test_file_put_there_by_hand_is_used(backbone: Backbone, folder: Path, tmp_path: Path) -> None:
    network = make_mobilenet()
    write_weights(network, folder / MOBILENET_FILE)
    engine = LiteRTEngine(ensure_tflite(backbone, tmp_path / "converted"))
    picture = load_picture(photo_like_jpeg(1), 128)[np.newaxis]
    expected = np.asarray(network(picture.astype(np.float32) / 127.5 - 1))
    np.testing.assert_allclose(engine.embed(picture), expected, atol=1e-3)


@pytest.mark.slow
def test_file_of_another_network_is_a_sentence(backbone: Backbone, folder: Path, tmp_path: Path) -> None:
    (folder / MOBILENET_FILE).write_bytes(b"not weights")
    with pytest.raises(ConversionFailed, match=r"The weights do not fit MobileNet 0\.25 \(128\)"):
        ensure_tflite(backbone, tmp_path / "converted")
