"""Print the seconds for a step of Keras' own `train_step`: `python -m bench.keras_loop EXTENT BATCH STEPS`.

It uses one batch in memory and the default backbone with a new head, of which the same layers learn as in a
fine-tuning.
"""

import sys
import time

CLASSES = 5


def main(extent: str, batch: int, steps: int) -> float:
    """Return the mean seconds per step."""
    import keras
    import numpy as np
    import tensorflow as tf

    from ml.backbones.registry import DEFAULT_BACKBONE, get_backbone
    from ml.training.fine_tuning.layers import choose_layers
    from poetsweb.folders import ML

    backbone = get_backbone(DEFAULT_BACKBONE, ML)
    features = backbone.build_network()
    choose_layers(features, extent)
    network = keras.Model(features.input, keras.layers.Dense(CLASSES, activation="softmax")(features.output))
    # Compiled for the processor (XLA), the gradients of convolutions are many times slower.
    network.compile(optimizer=keras.optimizers.Adam(1e-4), loss="sparse_categorical_crossentropy", jit_compile=False)
    rng = np.random.default_rng(0)
    size = backbone.input_size
    pictures = tf.constant(rng.integers(0, 256, (batch, size, size, 3)), tf.float32)
    labels = tf.constant(rng.integers(0, CLASSES, batch))
    step = tf.function(lambda x, y: network.train_step((x, y)), autograph=False)
    step(pictures, labels)  # traces the function and initialises the libraries
    begun = time.perf_counter()
    for _ in range(steps):
        logs = step(pictures, labels)
    float(logs["loss"])
    return (time.perf_counter() - begun) / steps


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
