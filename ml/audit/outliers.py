"""Tell which pictures are unlike all others of their class."""

import numpy as np
from numpy.typing import NDArray

from ml.images.neighbours import Nearest

Floats = NDArray[np.float32]

NEAREST = 5  # neighbours that count
LEAST_PICTURES = 20  # of a class of which one can be odd
LEAST_SCORE = 4.0  # from which on it is told; of a normal distribution one in thirty thousand


def score_outliers(nearest: Nearest, labels: NDArray[np.int64]) -> Floats:
    """Return how far each picture, (N,), is from its neighbours, compared with the others of its class.

    It is how many deviations (1.4826 times the median one) the mean cosine of its nearest neighbours is below the
    median of the class; 0 in a small class.
    """
    count = min(NEAREST, nearest.cosines.shape[1])
    scores = np.zeros(len(labels), np.float32)
    if not count:
        return scores
    closest = np.sort(nearest.cosines, axis=1)[:, ::-1][:, :count]
    closeness = np.where(np.isfinite(closest), closest, -1).mean(1)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) >= LEAST_PICTURES:
            below = np.median(closeness[members]) - closeness[members]
            scores[members] = np.maximum(below / max(1.4826 * float(np.median(np.abs(below))), 1e-3), 0)
    return scores
