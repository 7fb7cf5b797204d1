"""Fine-tuning: not only the head, the backbone as well learns from a project's pictures. Begun from a trained head.

    layers     which layers learn
    network    backbone and head as one network, and a step of it
    pictures   batches of pictures, decoded ahead
    state      where it stands after an epoch: what a checkpoint holds
    loop       epochs, early stopping, the best weights
    freezing   the tuned backbone as a network of its own, see `ml.model_import`

The last three say how they are told what to do; all of it imports TensorFlow when called, and not before.
"""

from ml.errors import Refused

# Raise it when the same config would tune another backbone: checkpoints and fingerprints carry it.
# 1: the first.
TUNING_VERSION = 1
PATIENCE = 3  # epochs without a better validation loss, then it stops


class TuningFailed(Refused):
    """The message is a sentence for the user."""
