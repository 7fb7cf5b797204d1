"""Test that the feature map is what the features are averages of, with the same file and the same numbers."""

from pathlib import Path

import numpy as np
import pytest

from ml.engines.feature_maps import FeatureMapEngine, NoFeatureMap, has_feature_map, with_feature_maps
from ml.engines.litert import Adapter, LiteRTEngine


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("threads", [1, 2])
def test_mean_of_the_feature_map_is_the_features(
    tflite: Path, engine: LiteRTEngine, picture: np.ndarray, threads: int
) -> None:
    found = FeatureMapEngine(tflite, threads=threads).feature_map(picture)
    assert found.shape == (16, 16, 48)  # of two maps, 16 x 16 and 8 x 8
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=(0, 1)), engine.embed(picture[None])[0], atol=1e-5)


def test_feature_map_tells_places_apart(tflite: Path, picture: np.ndarray) -> None:
    engine, changed = FeatureMapEngine(tflite), picture.copy()
    changed[:8, 24:] = 255 - changed[:8, 24:]
    difference = np.abs(engine.feature_map(changed) - engine.feature_map(picture)).sum(axis=-1)
    assert difference[:4, 12:].min() > 0
    assert difference[6:].max() == 0
    assert difference[:, :10].max() == 0


def test_converted_backbone_has_a_feature_map(tflite: Path) -> None:
    assert has_feature_map(tflite)


def test_network_that_averages_nothing_has_none(tflite: Path, tmp_path: Path) -> None:
    path = tmp_path / "maps.tflite"
    path.write_bytes(with_feature_maps(tflite.read_bytes()))  # what it gives are maps, no averages of any
    assert not has_feature_map(path)
    with pytest.raises(NoFeatureMap, match="no heat map"):
        FeatureMapEngine(path)


def test_network_whose_output_is_changed_has_none(tflite: Path) -> None:
    with pytest.raises(NoFeatureMap):
        FeatureMapEngine(tflite, adapter=Adapter(logarithm=True))


def test_file_is_left_as_it_is(tflite: Path, picture: np.ndarray) -> None:
    before = tflite.read_bytes()
    FeatureMapEngine(tflite).feature_map(picture)
    assert tflite.read_bytes() == before


def test_picture_of_another_size_is_refused(tflite: Path) -> None:
    with pytest.raises(ValueError, match="shape"):
        FeatureMapEngine(tflite).feature_map(np.zeros((31, 32, 3), np.uint8))
