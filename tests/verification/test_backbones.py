"""Each bundled backbone is the network it says it is, and stays so on its way to LiteRT."""

import numpy as np
import pytest

from ml.backbones.registry import BACKBONES
from ml.engines.feature_maps import FeatureMapEngine
from tests.verification.conftest import CLASSIFIERS, NAMES, Built, photo_names

pytestmark = [pytest.mark.verification, pytest.mark.timeout(400)]

# ImageNet's numbers of what the photos show, in the order of `photo_names`.
SHOWN = {
    "china.jpg": {698},  # a palace
    "flower.jpg": {985, 599},  # a dahlia: of what ImageNet has, nearest to a daisy or, for its pattern, a honeycomb
}


def test_litert_agrees_with_keras(built: Built) -> None:
    features = built.engine.embed(built.pictures)
    assert features.std() > 0.1  # not the agreement of two networks that say nothing
    np.testing.assert_allclose(features, built.features, atol=1e-3)


def test_sizes_are_those_of_the_registry(all_built: dict[str, Built]) -> None:
    for name, built in all_built.items():
        backbone = BACKBONES[name]
        assert (built.engine.input_size, built.engine.features) == (backbone.input_size, backbone.features)


def test_litert_features_do_not_depend_on_the_batch(built: Built) -> None:
    one_by_one = np.concatenate([built.engine.embed(picture[None]) for picture in built.pictures])
    np.testing.assert_array_equal(built.engine.embed(built.pictures), one_by_one)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_names_known_photos(name: str, all_built: dict[str, Built]) -> None:
    logits = all_built[name].logits
    assert logits is not None
    for photo, own in zip(photo_names(), logits, strict=False):
        assert int(own.argmax()) in SHOWN[photo], photo


@pytest.mark.parametrize("name", [name for name in NAMES if BACKBONES[name].members])
def test_several_give_the_features_of_each(name: str, all_built: dict[str, Built]) -> None:
    members = BACKBONES[name].members
    expected = [all_built[member.backbone.name].features * member.weight for member in members]
    np.testing.assert_allclose(all_built[name].features, np.concatenate(expected, axis=1), atol=1e-5)


def test_features_are_averages_over_the_places_of_a_map(built: Built) -> None:
    """Heat maps follow from it."""
    places = FeatureMapEngine(built.path).feature_map(built.pictures[0])
    np.testing.assert_allclose(places.mean(axis=(0, 1)), built.engine.embed(built.pictures[:1])[0], atol=1e-5)
