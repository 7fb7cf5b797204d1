"""Build a tiny fixed network that stands in for a real backbone in tests.

Its weights come from a hash, so they are the same on every machine and with every version of NumPy. Its features are
the averages of two layers of filter responses, which is enough to separate plain colours and simple textures linearly.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILTERS = (16, 32)  # of the two layers; the features are the averages of both


def fixed_kernel(label: str, shape: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Return a kernel (height, width, in, out) of numbers from SHAKE-256 of `label`, with a variance of 2 / fan-in.

    That variance preserves the signal's size from layer to layer (He et al., 2015).
    """
    count = int(np.prod(shape))
    raw = np.frombuffer(hashlib.shake_256(label.encode()).digest(count), dtype=np.uint8)
    uniform = (raw.astype(np.float32) - 127.5) / 127.5
    fan_in = int(np.prod(shape[:3]))
    return (uniform * np.float32(np.sqrt(6 / fan_in))).reshape(shape)


def build_testing(weights: Path | None, input_size: int) -> Any:
    """Build the keras.Model: float32 RGB 0..255 (N, S, S, 3) -> float32 (N, 48). `weights` is not used."""
    import keras

    pictures = keras.Input((input_size, input_size, 3), name="pictures")
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="normalise")(pictures)
    averages = []
    for number, filters in enumerate(FILTERS):
        kernel = fixed_kernel(f"poetsweb testing {number}", (3, 3, x.shape[-1], filters))
        layer = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu", use_bias=False)
        x = layer(x)
        layer.set_weights([kernel])
        averages.append(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(pictures, keras.layers.Concatenate(name="features")(averages))
