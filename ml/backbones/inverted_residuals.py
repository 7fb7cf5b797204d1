"""Build networks of inverted residual blocks in Keras, with weights from PyTorch state dicts.

Sources: Sandler et al., "MobileNetV2" (2018), who introduced the block, and Tan and Le, "EfficientNet" (2019), who
scale its width and depth. The differences between the networks are data: an `Architecture`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.backbones.pytorch_weights import WeightsCorrupt, read_state_dict

StateDict = dict[str, NDArray[Any]]
CLASSES = 1000  # ImageNet's


class Block(NamedTuple):
    """One inverted residual block from `inside` to `outside` channels; `expand` multiplies the former."""

    kernel: int
    stride: int
    expand: int
    inside: int
    outside: int


class Stage(NamedTuple):
    """A run of equal blocks, of which only the first has the stride."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    outside: int


class Names(NamedTuple):
    """The names of a convolution and of the normalisation after it in the state dict."""

    convolution: str
    normalisation: str


class BlockNames(NamedTuple):
    """The names of a block's three convolutions in the state dict."""

    expand: Names  # not in the state dict if the block does not expand
    depthwise: Names
    project: Names


@dataclass(frozen=True)
class Architecture:
    """The layout of a network: its stages, its channels, its preprocessing and the names of its weights."""

    stages: tuple[Stage, ...]
    stem: int  # channels
    head: int  # channels: the features
    stem_names: Names
    head_names: Names
    classifier_name: str
    name_block: Callable[[int, Block], BlockNames]  # of the block's number, from 0
    scale: float | list[float]  # from 0..255 to what the network was trained on, for all channels or each
    offset: float | list[float]
    epsilon: float  # of the normalisations; Keras and PyTorch have other defaults
    # Where a stride of 2 meets an even size, PyTorch pads alike on all sides, TensorFlow's SAME more at the right
    # and bottom. The weights know only what they were trained with.
    pads_all_sides: bool


def round_channels(channels: int, width: float) -> int:
    """Scale by `width` to a multiple of 8, never losing more than a tenth (as published for MobileNetV2)."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def list_blocks(architecture: Architecture, width: float, depth: float) -> Iterator[Block]:
    """Yield the blocks in order. The first and last stage keep their number of blocks at any depth, as published."""
    inside, stages = architecture.stem, architecture.stages
    for number, stage in enumerate(stages):
        outside = round_channels(stage.outside, width)
        at_an_end = number in (0, len(stages) - 1)
        for repeat in range(stage.repeats if at_an_end else math.ceil(stage.repeats * depth)):
            yield Block(stage.kernel, 1 if repeat else stage.stride, stage.expand, inside, outside)
            inside = outside


def build_inverted_residuals(
    weights: Path | None,
    input_size: int,
    *,
    architecture: Architecture,
    width: float = 1.0,
    depth: float = 1.0,
    classifier: bool = False,
) -> Any:
    """Build the keras.Model with its weights.

    Args:
        weights: the file with the state dict.
        input_size: width and height in pixels (S).
        architecture, width, depth: which network to build. Stem and head are not scaled.
        classifier: end with the logits of ImageNet's 1000 classes, to verify the network against published results.

    Return a network from float32 RGB 0..255 of shape (N, S, S, 3) to float32 (N, head), or (N, 1000). Raise
    `WeightsCorrupt` if the file lacks a tensor of the right shape, or has one that no layer uses.
    """
    import keras

    if weights is None:
        raise ValueError("This network needs a weights file.")
    state = {name: array for name, array in read_state_dict(weights).items() if array.ndim}  # no step counters
    pictures = keras.Input((input_size, input_size, 3), name="pictures")
    x = keras.layers.Rescaling(architecture.scale, offset=architecture.offset, name="normalise")(pictures)
    x = _features(_Layers(state, architecture), x, architecture, list_blocks(architecture, width, depth))
    fc = _classifier_weights(state, architecture)
    if classifier:
        x = _with_weights(keras.layers.Dense(CLASSES, name="classifier"), x, fc)
    if state:
        raise WeightsCorrupt(f"The weights file holds {len(state)} tensors of another network, as {next(iter(state))}.")
    return keras.Model(pictures, x)


class _Layers:
    """A builder that adds layers to a network, taking each layer's weights out of the state dict by PyTorch's names."""

    def __init__(self, state: StateDict, architecture: Architecture) -> None:
        self.state, self.architecture = state, architecture

    def convolve(self, x: Any, names: Names, filters: int, kernel: int = 1, stride: int = 1) -> Any:
        """Add a convolution and its normalisation. PyTorch's kernel is (out, in, h, w), Keras' (h, w, in, out)."""
        import keras

        shape = (filters, x.shape[-1], kernel, kernel)
        weights = _take(self.state, f"{names.convolution}.weight", shape).transpose(2, 3, 1, 0)
        x, padding = self._pad(x, kernel, stride)
        layer = keras.layers.Conv2D(filters, kernel, strides=stride, padding=padding, use_bias=False)
        return self._normalise(_with_weights(layer, x, [weights]), names.normalisation)

    def convolve_depthwise(self, x: Any, names: Names, kernel: int, stride: int) -> Any:
        """Add a convolution with one filter per channel and its normalisation.

        PyTorch's kernel is (channels, 1, h, w), Keras' (h, w, channels, 1).
        """
        import keras

        shape = (x.shape[-1], 1, kernel, kernel)
        weights = _take(self.state, f"{names.convolution}.weight", shape).transpose(2, 3, 0, 1)
        x, padding = self._pad(x, kernel, stride)
        layer = keras.layers.DepthwiseConv2D(kernel, strides=stride, padding=padding, use_bias=False)
        return self._normalise(_with_weights(layer, x, [weights]), names.normalisation)

    def _pad(self, x: Any, kernel: int, stride: int) -> tuple[Any, str]:
        import keras

        if stride == 1 or not self.architecture.pads_all_sides:
            return x, "same"
        return keras.layers.ZeroPadding2D((kernel - 1) // 2)(x), "valid"

    def _normalise(self, x: Any, name: str) -> Any:
        import keras

        parts = ("weight", "bias", "running_mean", "running_var")  # Keras' order: gamma, beta, mean, variance
        weights = [_take(self.state, f"{name}.{part}", (x.shape[-1],)) for part in parts]
        return _with_weights(keras.layers.BatchNormalization(epsilon=self.architecture.epsilon), x, weights)


def _features(layers: _Layers, x: Any, architecture: Architecture, blocks: Iterator[Block]) -> Any:
    import keras

    x = _relu6(layers.convolve(x, architecture.stem_names, architecture.stem, kernel=3, stride=2))
    for number, block in enumerate(blocks):
        x = _add_block(layers, x, architecture.name_block(number, block), block)
    x = _relu6(layers.convolve(x, architecture.head_names, architecture.head))
    return keras.layers.GlobalAveragePooling2D(name="features")(x)


def _add_block(layers: _Layers, x: Any, names: BlockNames, block: Block) -> Any:
    import keras

    before = x
    if block.expand != 1:
        x = _relu6(layers.convolve(x, names.expand, block.inside * block.expand))
    x = _relu6(layers.convolve_depthwise(x, names.depthwise, block.kernel, block.stride))
    x = layers.convolve(x, names.project, block.outside)
    same = block.stride == 1 and block.inside == block.outside
    return keras.layers.Add()([before, x]) if same else x


def _relu6(x: Any) -> Any:
    import keras

    return keras.layers.ReLU(max_value=6.0)(x)


def _classifier_weights(state: StateDict, architecture: Architecture) -> tuple[NDArray[Any], NDArray[Any]]:
    name = architecture.classifier_name
    return _take(state, f"{name}.weight", (CLASSES, architecture.head)).T, _take(state, f"{name}.bias", (CLASSES,))


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
