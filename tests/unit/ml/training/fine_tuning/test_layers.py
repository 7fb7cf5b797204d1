"""Test which layers learn, in networks of several kinds."""

from typing import Any

import pytest

from ml.backbones.backbone import Backbone
from ml.training.fine_tuning.layers import choose_layers

pytestmark = pytest.mark.slow


def trainable(network: Any) -> list[str]:
    return [variable.path.split("/")[0] for variable in network.trainable_variables]


def convolve(x: Any, name: str, strides: int = 1) -> Any:
    import keras

    x = keras.layers.Conv2D(4, 3, strides=strides, padding="same", use_bias=False, name=name)(x)
    return keras.layers.BatchNormalization(name=f"{name}_norm")(x)


def squeezed(x: Any, name: str) -> Any:
    """Add a squeeze-and-excite block, whose layers work on single pixels."""
    import keras

    scale = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    scale = keras.layers.Conv2D(4, 1, use_bias=False, activation="sigmoid", name=name)(scale)
    return keras.layers.Multiply()([x, scale])


@pytest.fixture
def network() -> Any:
    import keras

    pictures = keras.Input((32, 32, 3))
    x = squeezed(convolve(pictures, "first", 2), "first_squeeze")
    x = convolve(convolve(x, "second", 2), "third")
    x = squeezed(x, "third_squeeze")
    x = keras.layers.MaxPooling2D()(x)
    return keras.Model(pictures, keras.layers.GlobalAveragePooling2D()(x))


def test_last_is_the_stage_with_the_coarsest_picture(network: Any) -> None:
    choose_layers(network, "last")
    assert trainable(network) == ["second", "third", "third_squeeze"]


def test_all_is_all_but_the_normalisations(network: Any) -> None:
    choose_layers(network, "last")
    choose_layers(network, "all")
    assert trainable(network) == ["first", "first_squeeze", "second", "third", "third_squeeze"]


def test_network_within_a_network_is_looked_into(network: Any) -> None:
    import keras

    pictures = keras.Input((32, 32, 3))
    outer = keras.Model(pictures, network(keras.layers.Rescaling(1 / 255)(pictures)))
    choose_layers(outer, "last")
    assert trainable(outer) == ["second", "third", "third_squeeze"]


def test_tiny_backbone_has_a_last_stage(backbone: Backbone) -> None:
    network = backbone.build_network()
    choose_layers(network, "last")
    assert [variable.shape for variable in network.trainable_variables] == [(3, 3, 16, 32)]
