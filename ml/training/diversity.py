"""Choose pictures that differ: those that a person labels first teach the most if no two are alike."""

import numpy as np
from numpy.typing import NDArray


def k_center_greedy(features: NDArray[np.float32], count: int) -> list[int]:
    """Return the places of up to `count` rows, each as far as can be from those before it; the first is row 0.

    That is the greedy choice of k centres (Gonzalez 1985; for active learning: Sener and Savarese 2018), by the cosine.

    Args:
        features: float32 (N, F), none of its rows longer than float32 can square.
        count: how many to choose.
    """
    if not len(features):
        return []
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(lengths, 1e-12)
    nearest = np.full(len(unit), -np.inf, np.float32)  # the largest cosine with what has been chosen
    chosen = [0]
    while len(chosen) < min(count, len(unit)):
        nearest = np.maximum(nearest, unit @ unit[chosen[-1]])
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
    return chosen
