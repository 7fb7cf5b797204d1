"""Weight files made for a test, in the format in which Keras publishes its own."""

from pathlib import Path
from typing import Any

MOBILENET, MOBILENET_FILE = "mobilenet_0.25_128", "mobilenet_2_5_128_tf_no_top.h5"


def make_mobilenet() -> Any:
    """Make the smallest of the original architectures, with random weights. Import TensorFlow."""
    import keras

    keras.utils.set_random_seed(3)
    shape = (128, 128, 3)
    return keras.applications.MobileNet(alpha=0.25, include_top=False, weights=None, pooling="avg", input_shape=shape)


def write_weights(network: Any, path: Path) -> None:
    """Write weights in the older of Keras' formats, in which all published weights are."""
    import h5py
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, network)
