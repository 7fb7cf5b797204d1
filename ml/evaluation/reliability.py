"""Compare how sure a classifier is with how often it is right."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

BINS = 15  # of equal width, as in Guo et al. 2017


class Bin(BaseModel):
    """The answers whose probability lies above `low`, and at most at `high`."""

    low: float
    high: float
    n: int
    confidence: float | None  # the mean probability; None without answers, as below
    accuracy: float | None


def draw_reliability(right: NDArray[np.bool_], confidence: NDArray[np.float32]) -> list[Bin]:
    """Return the bins, from whether each answer is right, (N,), and its probability, (N,)."""
    places = np.clip(np.ceil(confidence.astype(np.float64) * BINS) - 1, 0, BINS - 1).astype(np.int64)
    sizes = np.bincount(places, minlength=BINS)
    sums = np.bincount(places, confidence, minlength=BINS)
    hits = np.bincount(places[right], minlength=BINS)
    return [
        Bin(
            low=round(place / BINS, 5),
            high=round((place + 1) / BINS, 5),
            n=int(size),
            confidence=round(float(sums[place] / size), 5) if size else None,
            accuracy=round(float(hits[place] / size), 5) if size else None,
        )
        for place, size in enumerate(sizes)
    ]


def calibration_error(right: NDArray[np.bool_], confidence: NDArray[np.float32]) -> float | None:
    """Return the expected calibration error over the bins of `draw_reliability`, None without answers."""
    if not len(right):
        return None
    places = np.clip(np.ceil(confidence.astype(np.float64) * BINS) - 1, 0, BINS - 1).astype(np.int64)
    gaps = np.bincount(places, right - confidence.astype(np.float64), minlength=BINS)
    return round(float(np.abs(gaps).sum() / len(right)), 6)
