"""Test that the SavedModel takes files as they are, and sees in them what the site sees."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ml.backbones.registry import get_backbone
from ml.exports import saved_model
from ml.exports.parts import Parts
from ml.images.decoding import load_picture
from ml.training.head import Head
from poetsweb.folders import ML
from tests.lazy_tensorflow import tf
from tests.pictures import encode, exif, photo_like_jpeg
from tests.shipped import load_shipped

pytestmark = pytest.mark.slow

TESTING = get_backbone("testing", ML)
LABELS = ["red", "苹果", "<b>"]


def photo() -> Image.Image:
    """Return a photo whose sides differ."""
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[:20], pixels[20:, :30] = (250, 30, 0), (0, 200, 90)
    return Image.fromarray(pixels)


def deep() -> Image.Image:
    """Return the photo in grey from 0 to 65,535."""
    return Image.fromarray(np.asarray(photo().convert("L")).astype(np.uint16) * 257)


def see_through() -> Image.Image:
    """Return the photo, whose left third cannot be seen."""
    picture = photo().convert("RGBA")
    picture.putalpha(Image.fromarray(np.where(np.arange(80) < 27, 0, 255).astype(np.uint8)[np.newaxis].repeat(60, 0)))
    return picture


def head_that_sees_turns() -> Head:
    """Return a head with the first class for the photo, the second for the photo on its side, and an unused third."""
    files = [encode(photo(), "JPEG", quality=95, exif=exif(orientation)) for orientation in (1, 6)]
    pictures = np.stack([load_picture(data, TESTING.input_size) for data in files]).astype(np.float32)
    upright, turned = np.asarray(TESTING.build_network()(pictures))
    towards = 3 * (upright - turned) / np.square(upright - turned).sum()
    weights = np.stack([towards, -towards, np.zeros_like(towards)], axis=1)
    return Head(weights, -(upright + turned) / 2 @ weights)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    saved_model.build(Parts("Colours", 7, TESTING, head_that_sees_turns(), LABELS), folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Any:
    return tf.saved_model.load(str(folder / "saved_model" / "7"))


def by_the_site(data: bytes, loaded: Any) -> Any:
    picture = load_picture(data, TESTING.input_size)[np.newaxis].astype(np.float32) / 255
    return loaded.signatures["pictures"](pictures=tf.constant(picture))["scores"].numpy()[0]


FILES = [
    pytest.param(encode(photo(), "JPEG", quality=95), id="jpeg"),
    pytest.param(encode(photo(), "JPEG", quality=95, exif=exif(6)), id="turned by its EXIF"),
    pytest.param(encode(photo(), "PNG"), id="png"),
    pytest.param(encode(photo().convert("L"), "PNG"), id="grey"),
    pytest.param(encode(deep(), "PNG"), id="grey of 16 bits"),
    pytest.param(encode(see_through(), "PNG"), id="transparent"),
    pytest.param(encode(photo().convert("P"), "PNG", transparency=0), id="palette with a transparent colour"),
    pytest.param(encode(photo(), "GIF"), id="gif"),
    pytest.param(encode(photo(), "BMP"), id="bmp"),
]


@pytest.mark.parametrize("data", FILES)
def test_sees_what_the_site_sees(data: bytes, loaded: Any) -> None:
    answer = loaded.signatures["serving_default"](image_bytes=tf.constant([data]))
    assert [name.decode() for name in answer["classes"].numpy()[0]] == LABELS
    np.testing.assert_allclose(answer["scores"].numpy()[0], by_the_site(data, loaded), atol=0.03)


def test_turning_matters_to_these_answers(loaded: Any) -> None:
    upright, turned = (by_the_site(encode(photo(), "JPEG", exif=exif(way)), loaded) for way in (1, 6))
    assert np.abs(upright - turned).max() > 0.5


def test_several_pictures_at_once(loaded: Any) -> None:
    files = [encode(photo(), "PNG"), photo_like_jpeg(3), encode(photo(), "JPEG", exif=exif(3))]
    together = loaded.signatures["serving_default"](image_bytes=tf.constant(files))["scores"].numpy()
    for data, scores in zip(files, together, strict=True):
        alone = loaded.signatures["serving_default"](image_bytes=tf.constant([data]))["scores"].numpy()[0]
        np.testing.assert_allclose(scores, alone, atol=1e-4)


def test_called_as_a_function_it_gives_the_scores(loaded: Any) -> None:
    picture = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    expected = loaded.signatures["pictures"](pictures=tf.constant(picture))["scores"].numpy()
    np.testing.assert_array_equal(loaded(tf.constant(picture)).numpy(), expected)


def test_labels_are_within(loaded: Any) -> None:
    assert Path(loaded.labels.asset_path.numpy().decode()).read_text().splitlines() == LABELS


def test_formats_that_tensorflow_cannot_decode_go_the_other_way(folder: Path, loaded: Any) -> None:
    data = encode(photo(), "TIFF")
    answer, refused = load_shipped(folder)(data, load_picture(data, TESTING.input_size))
    assert refused is False
    np.testing.assert_allclose(answer, by_the_site(data, loaded), atol=1e-4)
