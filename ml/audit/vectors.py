"""Reduce a backbone's features to what tells pictures apart, for everything that an audit does with them."""

import numpy as np
from numpy.typing import NDArray

from ml.images.neighbours import DIMENSIONS, Nearest, find_nearest, to_unit

Floats = NDArray[np.float32]

NEIGHBOURS = 15  # of each picture
_SAMPLE = 4000  # pictures from which the dimensions are learnt
_BLOCK = 256  # pictures, which a processor's cache holds


def make_vectors(features: Floats) -> Floats:
    """Return vectors (N, D), D at most DIMENSIONS, whose cosines say how alike pictures are.

    They are the largest principal components of the square roots of the features, each picture's scaled to the same
    length: so the few large ones of a picture do not drown the others (Arandjelović, Zisserman 2012).
    """
    rooted = np.empty_like(features)
    for start in range(0, len(features), _BLOCK):
        block = np.nan_to_num(features[start : start + _BLOCK], posinf=0.0, neginf=0.0)
        rooted[start : start + _BLOCK] = to_unit(np.copysign(np.sqrt(np.abs(block)), block))
    if not len(rooted):
        return rooted[:, :DIMENSIONS]
    rooted -= rooted.mean(0)
    if rooted.shape[1] <= DIMENSIONS:
        return rooted
    sample = rooted[:: max(1, len(rooted) // _SAMPLE)]
    _, directions = np.linalg.eigh(sample.T @ sample)
    return np.asarray(rooted @ directions[:, : -DIMENSIONS - 1 : -1], np.float32)


def find_neighbours(vectors: Floats) -> Nearest:
    """Return the neighbours of each picture by cosine."""
    blocks = list(find_nearest(to_unit(vectors), np.arange(len(vectors)), min(NEIGHBOURS, max(len(vectors) - 1, 1))))
    if not blocks:
        return Nearest(np.empty(0, np.intp), np.empty((0, 0), np.intp), np.empty((0, 0), np.float32))
    parts = ([getattr(block, name) for block in blocks] for name in ("rows", "others", "cosines"))
    return Nearest(*(np.concatenate(part) for part in parts))
