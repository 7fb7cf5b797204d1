"""Which layers of a backbone learn when it is fine-tuned."""

from collections.abc import Iterator
from typing import Any

from ml.training.config import TUNE_LAST


def choose_layers(network: Any, extent: str) -> None:
    """Set `trainable` of each layer of a keras.Model.

    With "last" those of the last stage learn: all layers from the first one on that sees the picture at its coarsest.
    Networks for pictures make it smaller in some places, and work on the same size for a while in between; the last
    such stage holds what is most about the network's own thousand classes, half of the weights and more, and costs
    the least to train, as nothing has to go back through the layers before it.

    Normalisations keep what they know: the averages of a few pictures would be worse than those of the million that
    the network has seen.
    """
    import keras

    layers = list(_leaves(network))
    first = _last_stage(layers) if extent == TUNE_LAST else 0
    for place, layer in enumerate(layers):
        layer.trainable = place >= first and not isinstance(layer, keras.layers.BatchNormalization)


def _leaves(network: Any) -> Iterator[Any]:
    """The layers in the order of the network, those of networks within it in their place."""
    for layer in network.layers:
        if hasattr(layer, "layers"):
            yield from _leaves(layer)
        else:
            yield layer


def _last_stage(layers: list[Any]) -> int:
    """Where it begins. Layers without weights do not count: behind the last convolution may come one more pooling."""
    sizes = {place: _pixels(layer) for place, layer in enumerate(layers) if layer.weights}
    coarsest = min((size for size in sizes.values() if size), default=0)
    return next((place for place, size in sizes.items() if size == coarsest), 0)


def _pixels(layer: Any) -> int:
    """Of what it gives; 0 where that is no picture. Neither is a single pixel: it is an average over the picture, as
    the squeeze-and-excite blocks have them at every stage.
    """
    shape = layer.output.shape
    pixels = (shape[1] or 0) * (shape[2] or 0) if len(shape) == 4 else 0
    return pixels if pixels > 1 else 0
