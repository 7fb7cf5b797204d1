"""Test the SavedModel for TensorFlow Hub, with TensorFlow Hub itself."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.backbones.registry import get_backbone
from ml.exports import tf_hub
from ml.exports.parts import Parts
from ml.training.head import Head
from poetsweb.folders import ML
from tests.lazy_tensorflow import tf

pytestmark = pytest.mark.slow

TESTING = get_backbone("testing", ML)
LABELS = ["red", "苹果"]
HEAD = Head(np.random.default_rng(1).standard_normal((TESTING.features, 2)).astype(np.float32), np.zeros(2, np.float32))
PICTURES = np.random.default_rng(2).random((3, 32, 32, 3), np.float32)  # from 0 to 1


@pytest.fixture(scope="module")
def features() -> Any:
    return np.asarray(TESTING.build_network()(255 * PICTURES))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    tf_hub.build(Parts("Colours", 7, TESTING, HEAD, LABELS), folder)
    return folder / "model"


def test_classifier_takes_pictures_from_0_to_1_and_gives_probabilities(classifier: Path, features: Any) -> None:
    loaded = tf.saved_model.load(str(classifier))
    expected = HEAD.probabilities(features)
    np.testing.assert_allclose(loaded(tf.constant(PICTURES)).numpy(), expected, atol=1e-4)
    for name in ("default", "serving_default"):
        answer = loaded.signatures[name](images=tf.constant(PICTURES))
        np.testing.assert_allclose(answer["default"].numpy(), expected, atol=1e-4)
    assert Path(loaded.labels.asset_path.numpy().decode()).read_text().splitlines() == LABELS


def test_backbone_gives_features(tmp_path: Path, features: Any) -> None:
    tf_hub.build_backbone(TESTING, tmp_path)
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(loaded(tf.constant(PICTURES)).numpy(), features, atol=1e-4)
    assert loaded.signatures["default"](images=tf.constant(PICTURES[:1]))["default"].shape == (1, TESTING.features)


def test_is_a_reusable_saved_model(classifier: Path) -> None:
    """Check the names that `hub.KerasLayer` looks for."""
    loaded = tf.saved_model.load(str(classifier))
    assert len(loaded.variables) > 0
    assert len(loaded.trainable_variables) == 0
    assert len(loaded.regularization_losses) == 0


def test_tar_has_the_files_at_its_root_and_the_same_bytes_again() -> None:
    files = [("saved_model.pb", b"graph"), ("a/b/c", b"x" * 1000), ("a/d", b"")]
    first, second = io.BytesIO(), io.BytesIO()
    tf_hub.pack_tar(files, first)
    tf_hub.pack_tar(files, second)
    assert first.getvalue() == second.getvalue()
    first.seek(0)
    with tarfile.open(mode="r|gz", fileobj=first) as archive:
        found = [(entry.name, entry.isfile()) for entry in archive]
    assert found == [("saved_model.pb", True), ("a", False), ("a/b", False), ("a/b/c", True), ("a/d", True)]
