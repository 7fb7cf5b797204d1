"""Provide the networks of keras.applications as feature extractors; their weights are downloaded when first used.

The facts in the table beside this file (sizes, scaling, addresses, checksums) come from Keras 3's own sources,
keras/src/applications. The licences are those under which the weights were published.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

TABLE = Path(__file__).with_suffix(".csv")
# As TensorFlow for Poets writes a MobileNet's width, and as Keras does.
_WIDTHS = {"1.0": "1_0", "0.75": "7_5", "0.50": "5_0", "0.25": "2_5"}
_MOBILENET_SIZES = (224, 192, 160, 128)

# How RGB 0..255 is to be scaled, by the names of keras.applications.imagenet_utils.preprocess_input.
_TF, _CAFFE, _TORCH = "tf", "caffe", "torch"
_TORCH_MEAN, _TORCH_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


class KerasApplication(NamedTuple):
    """One network of keras.applications, in which `function` is its name."""

    function: str
    input_size: int
    features: int
    scaling: str  # as above; any other: the network does it itself
    licence: str
    path: str  # of the weights, below the publisher's address
    checksum: str | None  # MD5 or SHA-256, as Keras gives it
    alpha: float | None = None  # a MobileNet's width

    @property
    def name(self) -> str:
        """Return the name TensorFlow for Poets used for the network, or else the function's name in lower case."""
        if self.alpha is not None:
            return f"mobilenet_{self._width}_{self.input_size}"
        return "inception_v3" if self.function == "InceptionV3" else self.function.lower()

    @property
    def title(self) -> str:
        """Return the name to show to people."""
        return self.function if self.alpha is None else f"{self.function} {self._width} ({self.input_size})"

    @property
    def _width(self) -> str:
        return next(width for width in _WIDTHS if float(width) == self.alpha)


def list_keras_applications() -> Iterator[KerasApplication]:
    """Yield the networks, those of TensorFlow for Poets first."""
    for width, written in _WIDTHS.items():
        for size in _MOBILENET_SIZES:
            path = f"tensorflow/keras-applications/mobilenet/mobilenet_{written}_{size}_tf_no_top.h5"
            features = int(1024 * float(width))
            yield KerasApplication("MobileNet", size, features, _TF, "Apache-2.0", path, None, float(width))
    with TABLE.open(newline="") as file:
        for line in csv.DictReader(file):
            size, features = int(line["input_size"]), int(line["features"])
            rest = line["scaling"], line["licence"], line["path"], line["checksum"]
            yield KerasApplication(line["function"], size, features, *rest)


def build_keras_application(weights: Path | None, input_size: int, *, application: KerasApplication) -> Any:
    """Build the keras.Model: float32 RGB 0..255 (N, S, S, 3) -> float32 features (N, F).

    Raise `ValueError` if the weights do not fit the network.
    """
    import keras

    if weights is None:
        raise ValueError("This network needs a weights file.")
    shape = (input_size, input_size, 3)
    build = getattr(keras.applications, application.function)
    options = {} if application.alpha is None else {"alpha": application.alpha}
    network = build(include_top=False, weights=str(weights), pooling="avg", input_shape=shape, **options)
    pictures = keras.Input(shape, name="pictures")
    return keras.Model(pictures, network(_scale(pictures, application.scaling)))


def _scale(pictures: Any, scaling: str) -> Any:
    import keras

    if scaling == _TF:
        return keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pictures)
    if scaling == _TORCH:
        scale = [1 / (255 * deviation) for deviation in _TORCH_DEVIATION]
        offset = [-mean / deviation for mean, deviation in zip(_TORCH_MEAN, _TORCH_DEVIATION, strict=True)]
        return keras.layers.Rescaling(scale, offset=offset)(pictures)
    if scaling == _CAFFE:
        blue_first = keras.ops.flip(pictures, axis=-1)
        return keras.layers.Rescaling(1.0, offset=[-mean for mean in _CAFFE_MEAN_BGR])(blue_first)
    return pictures
