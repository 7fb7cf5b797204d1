"""Tell which places of a picture speak for a class (class activation mapping, Zhou et al. 2016).

The features of a picture are the mean over its places of the last feature map, and the head is linear. Therefore what a
class's logit consists of can be told place by place, exactly: `heat(c).mean() == logits[c]`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ml.training.head import Floats, Head

# Where nothing speaks for any class more than this, nothing is called warm. One more logit makes a class's odds 2.7
# times as high.
LEAST_SCALE = 1.0


@dataclass(frozen=True)
class HeatMaps:
    """What each place of a picture says about each class: the logit if the whole picture looked like this place.

    The bias of a class is a part of the heat at every place. Alone, the products of features and weights would be
    measured from a picture without any features, which does not exist, instead of from one that speaks for no class:
    with a large bias, all of a picture would seem to speak against the class that it is answered with.

    Logits tell classes apart by their differences alone: the same number added to all of them changes no probability.
    So they are told here less their mean over the classes, as are heat and bias.

    Attributes:
        features: of each place, float32 (H, W, F).
        head: the classifier's, calibrated as it is stored.
    """

    features: Floats
    head: Head

    @cached_property
    def every_heat(self) -> Floats:
        """Return the heat of all classes at each place, (H, W, C)."""
        weights = self.head.weights
        return np.asarray(self.features @ (weights - weights.mean(axis=1, keepdims=True)) + self.bias, np.float32)

    @cached_property
    def bias(self) -> Floats:
        """Return what each class gets whatever the picture shows, (C,)."""
        return np.asarray(self.head.bias - self.head.bias.mean(), np.float32)

    @property
    def logits(self) -> Floats:
        """Return the logits (C,), less their mean."""
        return np.asarray(self.every_heat.mean(axis=(0, 1)), np.float32)

    @property
    def pooled(self) -> Floats:
        """Return the picture's features, (F,)."""
        return np.asarray(self.features.mean(axis=(0, 1)), np.float32)

    def heat(self, place: int) -> Floats:
        """Return what the places (H, W) say about the class at this place of the head: less than 0 speaks against it.

        Its mean is the logit.
        """
        return self.every_heat[:, :, place]

    def warmth(self, place: int) -> Floats:
        """Return the heat of a class as 0 to 1, (H, W), for colours.

        0 is a place that says nothing or speaks against the class. 1 is the most that any place of this picture says
        for any of the classes, so that the maps of one picture can be compared: a class for which little speaks stays
        cold. Where that most is below `LEAST_SCALE` logits, that counts as 1.
        """
        scale = max(LEAST_SCALE, float(self.every_heat.max(initial=0)))
        return np.asarray(np.clip(self.heat(place) / scale, 0, 1), np.float32)
