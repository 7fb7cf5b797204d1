from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml.engines.litert import Embedder, LiteRTEngine

Pictures = NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return np.random.default_rng(1).integers(0, 256, (19, 32, 32, 3), dtype=np.uint8)


def plain(colour: tuple[int, int, int], rng: np.random.Generator) -> Pictures:
    noise = rng.normal(0, 20, (32, 32, 3))
    return np.clip(np.array(colour) + rng.normal(0, 25, 3) + noise, 0, 255).astype(np.uint8)


def striped(axis: int, rng: np.random.Generator) -> Pictures:
    """Return stripes of a random period, phase and contrast, along one axis."""
    wave = np.sin(np.arange(32) * rng.uniform(0.8, 1.6) + rng.uniform(0, 6.3)) * rng.uniform(60, 120) + 128
    picture = np.broadcast_to(np.expand_dims(wave, axis)[..., None], (32, 32, 3))
    return np.clip(picture + rng.normal(0, 10, picture.shape), 0, 255).astype(np.uint8)


def accuracy(engine: Embedder, classes: list[list[Pictures]]) -> float:
    """Return the accuracy of a linear classifier that learns from the first half of each class, on the other half."""
    half = len(classes[0]) // 2
    labels = np.repeat(np.arange(len(classes)), half)
    train = engine.embed(np.stack([picture for group in classes for picture in group[:half]]))
    test = engine.embed(np.stack([picture for group in classes for picture in group[half:]]))
    return float(LogisticRegression(max_iter=2000).fit(train, labels).score(test, labels))


def test_engine_knows_its_shapes(engine: LiteRTEngine) -> None:
    assert (engine.input_size, engine.features) == (32, 48)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 19])
def test_embed_shape(engine: LiteRTEngine, pictures: Pictures, count: int) -> None:
    features = engine.embed(pictures[:count])
    assert features.shape == (count, 48)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_embed_batched_agrees_with_one_by_one(tflite: Path, pictures: Pictures, threads: int) -> None:
    engine = LiteRTEngine(tflite, threads=threads)
    one_by_one = np.concatenate([engine.embed(picture[None]) for picture in pictures])
    np.testing.assert_allclose(engine.embed(pictures), one_by_one, rtol=1e-5, atol=1e-5)


def test_embed_result_is_not_overwritten_by_the_next_call(engine: LiteRTEngine, pictures: Pictures) -> None:
    first = engine.embed(pictures[:1])
    before = first.copy()
    engine.embed(pictures[1:2])
    np.testing.assert_array_equal(first, before)


def test_embed_accepts_views(engine: LiteRTEngine, pictures: Pictures) -> None:
    mirrored = pictures[:3, :, ::-1]
    np.testing.assert_array_equal(engine.embed(mirrored), engine.embed(np.ascontiguousarray(mirrored)))


def test_embed_from_many_threads(engine: LiteRTEngine, pictures: Pictures) -> None:
    expected = engine.embed(pictures)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda k: engine.embed(pictures[k % 19 : k % 19 + 3]), range(200)))
    for k, features in enumerate(results):
        np.testing.assert_array_equal(features, expected[k % 19 : k % 19 + 3])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (np.zeros((1, 32, 32, 3), np.float32), "uint8 array, not float32"),
        (np.zeros((32, 32, 3), np.uint8), r"shape \(N, 32, 32, 3\), not \(32, 32, 3\)"),
        (np.zeros((1, 32, 31, 3), np.uint8), "shape"),
        (np.zeros((1, 32, 32, 4), np.uint8), "shape"),
        (np.uint8(3), "uint8 array"),
        ([[1]], "uint8 array"),
    ],
)
def test_embed_refuses(engine: LiteRTEngine, wrong: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        engine.embed(wrong)


def test_engine_refuses_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "none.tflite").write_bytes(b"no model")
    with pytest.raises(ValueError, match="not a LiteRT model"):
        LiteRTEngine(tmp_path / "none.tflite")


def test_testing_backbone_separates_colours(engine: LiteRTEngine) -> None:
    rng = np.random.default_rng(2)
    colours = [(200, 60, 60), (60, 200, 60), (60, 60, 200), (200, 200, 60), (128, 128, 128)]
    assert accuracy(engine, [[plain(colour, rng) for _ in range(40)] for colour in colours]) > 0.97


def test_testing_backbone_separates_textures(engine: LiteRTEngine) -> None:
    rng = np.random.default_rng(3)
    assert accuracy(engine, [[striped(axis, rng) for _ in range(60)] for axis in (0, 1)]) > 0.97
