"""Choose which layers of a backbone learn when it is fine-tuned."""

from collections.abc import Iterator
from typing import Any

from ml.training.config import TUNE_LAST


def choose_layers(network: Any, extent: str) -> None:
    """Set `trainable` of each layer of a keras.Model.

    With extent "last" the layers of the last stage learn: all layers from the first one that sees the picture at its
    coarsest resolution. Networks for pictures reduce the resolution in a few places and work on the same resolution in
    between. The last such stage is the most specific to the thousand classes the network was trained on, has half of
    the weights or more, and is the cheapest to train, because no gradient has to go back through the layers before it.
    With any other extent all layers learn.

    Normalisation layers never learn: the averages of a few pictures would be worse than those of the million pictures
    that the network has seen.
    """
    import keras

    layers = list(_leaves(network))
    first = _last_stage(layers) if extent == TUNE_LAST else 0
    for place, layer in enumerate(layers):
        layer.trainable = place >= first and not isinstance(layer, keras.layers.BatchNormalization)


def _leaves(network: Any) -> Iterator[Any]:
    """Yield the layers in the order of the network, replacing nested networks by their own layers."""
    for layer in network.layers:
        if hasattr(layer, "layers"):
            yield from _leaves(layer)
        else:
            yield layer


def _last_stage(layers: list[Any]) -> int:
    """Return the position of the last stage's first layer.

    Layers without weights do not count, because another pooling layer may follow the last convolution.
    """
    sizes = {place: _pixels(layer) for place, layer in enumerate(layers) if layer.weights}
    coarsest = min((size for size in sizes.values() if size), default=0)
    return next((place for place, size in sizes.items() if size == coarsest), 0)


def _pixels(layer: Any) -> int:
    """Return the number of pixels of a layer's output, or 0 if it is not a picture.

    A single pixel is not a picture but an average over one, as in the squeeze-and-excite blocks of every stage.
    """
    shape = layer.output.shape
    pixels = (shape[1] or 0) * (shape[2] or 0) if len(shape) == 4 else 0
    return pixels if pixels > 1 else 0
