"""Compare how sure a classifier is with how often it is right."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from ml.training.calibration import BINS, bins_of


class Bin(BaseModel):
    """The answers whose probability lies above `low`, and at most at `high`."""

    low: float
    high: float
    n: int
    confidence: float | None  # the mean probability; None without answers, as below
    accuracy: float | None


def draw_reliability(right: NDArray[np.bool_], confidence: NDArray[np.float32]) -> list[Bin]:
    """Return the bins, from whether each answer is right, (N,), and its probability, (N,)."""
    places = bins_of(confidence)
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
