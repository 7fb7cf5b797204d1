"""Fine-tune a backbone: train not only the head but also the backbone on a project's pictures, from a trained head.

    layers     which layers learn
    network    backbone and head as one network, and a step of it
    pictures   batches of pictures, decoded ahead
    state      the state after an epoch, which a checkpoint holds
    loop       epochs, early stopping, the best weights
    freezing   the tuned backbone as a custom backbone, see `ml.backbones.spec`

All of it imports TensorFlow when it is called, and not before.
"""

from ml.errors import Refused

# Raise it if the same config would tune to another backbone: checkpoints and fingerprints contain it.
# 1: the first version.
TUNING_VERSION = 1
PATIENCE = 3  # epochs without a better validation loss, after which it stops


class TuningFailed(Refused):
    """The fine-tuning gave no usable network. The message is a sentence for the user."""
