"""EfficientNet-Lite in Keras, with weights from a PyTorch state dict.

Sources: Tan and Le, "EfficientNet" (2019), and Google's Lite variant of it (no squeeze-and-excite, ReLU6 for
swish, a stem and head that do not scale). The weights were trained in TensorFlow, so `SAME` padding pads more
at the right and bottom when a stride of 2 meets an even size; Keras does just that with padding="same".
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.backbones.pytorch_weights import WeightsCorrupt, read_state_dict

StateDict = dict[str, NDArray[Any]]

STEM, HEAD, CLASSES = 32, 1280, 1000
EPSILON = 1e-3  # of the batch normalisations; Keras and PyTorch have other defaults


class Block(NamedTuple):
    """One inverted residual block; `expand` multiplies the channels that come in (`inside`)."""

    kernel: int
    stride: int
    expand: int
    inside: int
    outside: int


class Stage(NamedTuple):
    """A run of blocks; only its first one has the stride."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    outside: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def round_channels(channels: int, width: float) -> int:
    """Scale by `width` to a multiple of 8, never losing more than a tenth (as published for MobileNetV2)."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def list_blocks(width: float, depth: float) -> Iterator[Block]:
    """The blocks in order. The first and last stage keep one block at any depth, as published."""
    inside = STEM
    for number, stage in enumerate(STAGES):
        outside = round_channels(stage.outside, width)
        at_an_end = number in (0, len(STAGES) - 1)
        for repeat in range(stage.repeats if at_an_end else math.ceil(stage.repeats * depth)):
            yield Block(stage.kernel, 1 if repeat else stage.stride, stage.expand, inside, outside)
            inside = outside


def build_efficientnet_lite(
    weights: Path | None, input_size: int, *, width: float, depth: float, classifier: bool = False
) -> Any:
    """Build the keras.Model with its weights.

    Args:
        weights: the state dict's file.
        input_size: pixels, square (S).
        width, depth: 1.0, 1.0 for Lite0.
        classifier: end with the logits of ImageNet's 1000 classes, to prove a build right.

    Returns a network from float32 RGB 0..255 of shape (N, S, S, 3) to float32 (N, 1280), or (N, 1000).
    Raises WeightsCorrupt when the file lacks a tensor of the right shape, or holds one that no layer takes.
    """
    import keras

    if weights is None:
        raise ValueError("EfficientNet-Lite needs a weights file.")
    state = {name: array for name, array in read_state_dict(weights).items() if array.ndim}  # no step counters
    pictures = keras.Input((input_size, input_size, 3), name="pictures")
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="normalise")(pictures)
    x = _features(_Layers(state), x, list_blocks(width, depth))
    fc = _take(state, "_fc.weight", (CLASSES, HEAD)).T, _take(state, "_fc.bias", (CLASSES,))
    if classifier:
        x = _with_weights(keras.layers.Dense(CLASSES, name="classifier"), x, fc)
    if state:
        raise WeightsCorrupt(f"The weights file holds {len(state)} tensors of another network, as {next(iter(state))}.")
    return keras.Model(pictures, x)


class _Layers:
    """Adds layers to a network, taking each one's weights out of the state dict by PyTorch's names."""

    def __init__(self, state: StateDict) -> None:
        self.state = state

    def convolve(self, x: Any, name: str, norm: str, filters: int, kernel: int = 1, stride: int = 1) -> Any:
        """Convolution and normalisation. PyTorch's kernel is (out, in, h, w), Keras' (h, w, in, out)."""
        import keras

        layer = keras.layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)
        shape = (filters, x.shape[-1], kernel, kernel)
        x = _with_weights(layer, x, [_take(self.state, f"{name}.weight", shape).transpose(2, 3, 1, 0)])
        return self.normalise(x, norm)

    def convolve_depthwise(self, x: Any, name: str, norm: str, kernel: int, stride: int) -> Any:
        """One filter per channel. PyTorch's kernel is (channels, 1, h, w), Keras' (h, w, channels, 1)."""
        import keras

        layer = keras.layers.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False)
        shape = (x.shape[-1], 1, kernel, kernel)
        x = _with_weights(layer, x, [_take(self.state, f"{name}.weight", shape).transpose(2, 3, 0, 1)])
        return self.normalise(x, norm)

    def normalise(self, x: Any, name: str) -> Any:
        import keras

        parts = ("weight", "bias", "running_mean", "running_var")  # Keras' order: gamma, beta, mean, variance
        weights = [_take(self.state, f"{name}.{part}", (x.shape[-1],)) for part in parts]
        return _with_weights(keras.layers.BatchNormalization(epsilon=EPSILON), x, weights)


def _features(layers: _Layers, x: Any, blocks: Iterator[Block]) -> Any:
    import keras

    x = _relu6(layers.convolve(x, "_conv_stem", "_bn0", STEM, kernel=3, stride=2))
    for number, block in enumerate(blocks):
        x = _add_block(layers, x, f"_blocks.{number}", block)
    x = _relu6(layers.convolve(x, "_conv_head", "_bn1", HEAD))
    return keras.layers.GlobalAveragePooling2D(name="features")(x)


def _add_block(layers: _Layers, x: Any, name: str, block: Block) -> Any:
    import keras

    before = x
    if block.expand != 1:
        channels = block.inside * block.expand
        x = _relu6(layers.convolve(x, f"{name}._expand_conv", f"{name}._bn0", channels))
    x = layers.convolve_depthwise(x, f"{name}._depthwise_conv", f"{name}._bn1", block.kernel, block.stride)
    x = layers.convolve(_relu6(x), f"{name}._project_conv", f"{name}._bn2", block.outside)
    same = block.stride == 1 and block.inside == block.outside
    return keras.layers.Add()([before, x]) if same else x


def _relu6(x: Any) -> Any:
    import keras

    return keras.layers.ReLU(max_value=6.0)(x)


def _with_weights(layer: Any, x: Any, weights: Any) -> Any:
    x = layer(x)
    layer.set_weights([np.ascontiguousarray(array, dtype=np.float32) for array in weights])
    return x


def _take(state: StateDict, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    array = state.pop(name, None)
    if array is None or array.shape != shape:
        found = "is missing" if array is None else f"has shape {array.shape}"
        raise WeightsCorrupt(f"The weights file does not fit: {name} {found} where shape {shape} is needed.")
    return array
