"""Join backbone and head to one network that can be trained step by step. All of it imports TensorFlow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.backbones.backbone import Backbone
from ml.training.fine_tuning.layers import choose_layers
from ml.training.head import Floats, Head, Ints

Arrays = list[NDArray[Any]]


class TunableNetwork:
    """Backbone and head as one network with an optimiser.

    `features` is the backbone's keras.Model: pictures (N, S, S, 3), float32 RGB 0..255, to features (N, F).
    """

    def __init__(self, backbone: Backbone, head: Head, *, extent: str, rate: float) -> None:
        """Build the network; its training is deterministic: the same bits on the same kind of machine.

        All random numbers come from NumPy and the config's seed, so TensorFlow needs no seed of its own.

        Args:
            extent: which layers learn in addition to the head, see `choose_layers`.
            rate: the learning rate of Adam (Kingma and Ba, 2015).
        """
        import keras
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        # Layers are numbered through a process. Begun anew, the same training writes the same names into its graph.
        keras.backend.clear_session()
        self.features = backbone.build_network()
        choose_layers(self.features, extent)
        self._dense = keras.layers.Dense(head.bias.size, name="head", kernel_initializer="zeros")
        self._whole = keras.Model(self.features.input, self._dense(self.features.output))
        self._dense.set_weights([head.weights, head.bias])
        self._variables = list(self._whole.trainable_variables)
        self._optimizer = keras.optimizers.Adam(rate)
        self._optimizer.build(self._variables)
        self._step, self._look = self._compile(backbone.input_size)

    def _compile(self, size: int) -> tuple[Any, Any]:
        import tensorflow as tf

        pictures = tf.TensorSpec([None, size, size, 3], tf.uint8)
        labels, weights = tf.TensorSpec([None], tf.int64), tf.TensorSpec([None], tf.float32)
        learned = [variable.value for variable in self._variables]

        def logits(pictures: Any) -> Any:
            # In inference mode, as in use: no dropout, and normalisation layers use the averages learned before.
            return self._whole(tf.cast(pictures, tf.float32), training=False)

        @tf.function(input_signature=[pictures, labels, weights], autograph=False)  # type: ignore[untyped-decorator]
        def step(pictures: Any, labels: Any, weights: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(learned)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits(pictures))
                loss = tf.reduce_sum(weights * losses)
            self._optimizer.apply(tape.gradient(loss, learned), self._variables)
            return loss

        look = tf.function(logits, input_signature=[pictures], autograph=False)
        return step.get_concrete_function(), look.get_concrete_function()

    def step(self, pictures: NDArray[np.uint8], labels: Ints, weights: Floats) -> float:
        """Learn from a batch: uint8 pictures (N, S, S, 3), labels (N,) and the weight of each picture (N,).

        Return the sum of the weighted cross-entropies, in nats, before the step.
        """
        import tensorflow as tf

        return float(self._step(tf.constant(pictures), tf.constant(labels), tf.constant(weights)))

    def logits(self, pictures: NDArray[np.uint8]) -> Floats:
        """Return the logits, float32 (N, C), of uint8 pictures (N, S, S, 3)."""
        import tensorflow as tf

        return np.asarray(self._look(tf.constant(pictures)).numpy(), np.float32)

    @property
    def head(self) -> Head:
        """Return the head as it is now."""
        weights, bias = self._dense.get_weights()
        return Head(np.asarray(weights), np.asarray(bias))

    def read_weights(self) -> Arrays:
        """Return copies of the weights that learn."""
        return [variable.numpy() for variable in self._variables]

    def write_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Replace the weights that learn. Raise `ValueError` if they have other shapes."""
        _assign(self._variables, weights)

    def read_optimizer(self) -> Arrays:
        """Return copies of the optimiser's variables."""
        return [np.asarray(variable.numpy()) for variable in self._optimizer.variables]

    def write_optimizer(self, values: Sequence[NDArray[Any]]) -> None:
        """Replace the optimiser's variables. Raise `ValueError` if they have other shapes."""
        _assign(self._optimizer.variables, values)


def _assign(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise ValueError("These weights are those of another network.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
