"""Test that memory stays bounded under many projects and threads, and that one bad picture spoils no other."""

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ml.engines.litert import LiteRTEngine
from ml.images.decoding import ImageLimits, ImageRejected, load_picture
from ml.serving.batches import extract_features
from ml.training.artifacts import Artifact
from ml.training.head import Head
from ml.training.inference import ArtifactCache, Classified, classify_features
from ml.training.rejection import Reason
from tests.pictures import make_jpeg


def make_artifact(number: int = 0, classes: int = 3) -> Artifact:
    rng = np.random.default_rng(number)
    weights = rng.standard_normal((48, classes)).astype(np.float32)
    manifest = {"number": number, "classes": [[pk, f"class {pk}"] for pk in range(classes)]}
    return Artifact(manifest, Head(weights, np.zeros(classes, np.float32)))


def never() -> Artifact:
    pytest.fail("It should have been held.")


def held(cache: ArtifactCache) -> int:
    """Return the bytes the cache believes it holds, after checking that they are those of its artifacts."""
    return int(cache._held.currsize)


def test_cache_loads_once() -> None:
    cache = ArtifactCache(10**6)
    first = cache.get("a", make_artifact)
    assert cache.get("a", never) is first


def test_cache_forgets_the_one_used_longest_ago() -> None:
    cache = ArtifactCache(60_000)  # two artifacts of three classes
    for digest in ("a", "b"):
        cache.get(digest, make_artifact)
    cache.get("a", never)
    cache.get("c", make_artifact)
    cache.get("a", never)
    loaded: list[str] = []
    cache.get("b", lambda: loaded.append("b") or make_artifact())  # type: ignore[func-returns-value]
    assert loaded == ["b"]


def test_cache_keeps_one_that_is_too_large_and_nothing_beside_it() -> None:
    cache = ArtifactCache(1000)
    large = cache.get("large", lambda: make_artifact(classes=50))
    assert cache.get("large", never) is large
    cache.get("other", make_artifact)
    assert list(cache._held) == ["other"]


def test_cache_failed_load_holds_nothing() -> None:
    cache = ArtifactCache(10**6)
    with pytest.raises(OSError, match="gone"):
        cache.get("a", lambda: (_ for _ in ()).throw(OSError("gone")))
    assert held(cache) == 0
    cache.get("a", make_artifact)


def test_cache_counts_large_confusion_matrices() -> None:
    cache = ArtifactCache(10**9)
    cache.get("a", lambda: make_artifact(classes=1000))
    assert held(cache) > 8 * 1000**2


def test_cache_bound_holds_under_many_artifacts_and_threads() -> None:
    bound = 500_000
    cache = ArtifactCache(bound)

    def use(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(300):
            number = chance.randrange(100)
            artifact = cache.get(str(number), lambda number=number: make_artifact(number))
            assert artifact.manifest["number"] == number
            assert held(cache) <= bound

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    assert 0 < held(cache) <= bound


def test_classify_bad_pictures_beside_good_ones(engine: LiteRTEngine) -> None:
    artifact = make_artifact()
    good = [make_jpeg(seed) for seed in range(3)]
    answers = classify_features(
        extract_features([b"", good[0], b"no picture", good[1], good[2][:200], good[2]], engine), artifact
    )
    assert [isinstance(answer, ImageRejected) for answer in answers] == [True, False, True, False, True, False]
    for picture, answer in zip(good, (answers[1], answers[3], answers[5]), strict=True):
        expected = artifact.head.probabilities(engine.embed(load_picture(picture, 32)[None]))[0]
        assert isinstance(answer, Classified)
        np.testing.assert_allclose(answer.probabilities, expected, rtol=1e-5)


def test_classify_probabilities_sum_to_one(engine: LiteRTEngine) -> None:
    pictures = [make_jpeg(seed) for seed in range(10)]
    for answer in classify_features(extract_features(pictures, engine), make_artifact(classes=7)):
        assert not isinstance(answer, ImageRejected)
        assert answer.probabilities.shape == (7,)
        assert answer.probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert (answer.probabilities >= 0).all()
        assert (answer.reason, answer.likeness) == (Reason.NONE, None)  # nothing was learnt about other things


def test_classify_only_bad_pictures(engine: LiteRTEngine) -> None:
    answers = classify_features(extract_features([b"x", b"y"], engine), make_artifact())
    assert [type(answer) for answer in answers] == [ImageRejected, ImageRejected]


def test_classify_nothing(engine: LiteRTEngine) -> None:
    assert classify_features(extract_features([], engine), make_artifact()) == []


def test_classify_keeps_to_the_limits(engine: LiteRTEngine) -> None:
    (answer,) = classify_features(
        extract_features([make_jpeg(1)], engine, ImageLimits(max_pixels=100)), make_artifact()
    )
    assert isinstance(answer, ImageRejected)
