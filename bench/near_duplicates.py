"""Measure near_duplicates: finding the pictures of the same photo among many, when their embeddings are cached."""

import time

import numpy as np

from bench.figures import Figure, Seconds, compare
from bench.rows import FEATURES
from bench.site import BenchmarkSite

FEW, MANY = 10_000, 20_000
COPIED = 20  # one picture in so many has an altered copy
ROUNDS = 3
MOST, GROWTH = 3.0, 2.2
BLOCK = 1024


def near_duplicates(bench: BenchmarkSite) -> Figure:
    """Measure the seconds beside the plain product of all pictures with all, and how they grow with the pictures."""
    from ml.images.neighbours import reduce_features

    many, few, unit = _search(MANY), _search(FEW), reduce_features(_features(MANY))
    found = compare(many, [[lambda: _multiply(unit)]], rounds=ROUNDS)
    growth = 1 / compare(many, [[few]], rounds=ROUNDS).share
    ratio = found.ratio
    target = f"ratio <= {MOST}, {MANY:,} in {GROWTH} x {FEW:,} (took {growth:.2f} x)"
    return Figure("near_duplicates", found.real, "s", found.limit, ratio, target, ratio <= MOST and growth <= GROWTH)


def _features(count: int) -> "np.ndarray":
    """Return features of so many pictures, of which the last are altered copies of the first."""
    rng, copies = np.random.default_rng(count), count // COPIED
    features = rng.standard_normal((count, FEATURES), np.float32)
    features[-copies:] = features[:copies] + 0.3 * rng.standard_normal((copies, FEATURES), np.float32)
    return features


def _search(count: int) -> Seconds:
    """Return a function that finds the copies among so many pictures."""
    from ml.images.likeness import SKETCH
    from ml.images.near_duplicates import find_near_duplicates

    features, copies = _features(count), count // COPIED
    sketches = np.random.default_rng(0).integers(0, 256, (copies, SKETCH, SKETCH), np.uint8)

    def search() -> float:
        begun = time.perf_counter()
        blocks = find_near_duplicates(features, range(count), lambda rows: sketches[np.array(rows) % copies])
        found = sum(map(len, blocks))
        took = time.perf_counter() - begun
        if found < 0.95 * copies:
            raise RuntimeError(f"Only {found} of {copies} copies were found.")
        return took

    return search


def _multiply(unit: "np.ndarray") -> float:
    """Return the seconds of the products of all pictures with all, each of which is only computed."""
    begun = time.perf_counter()
    for start in range(0, len(unit), BLOCK):
        unit[start : start + BLOCK] @ unit.T
    return time.perf_counter() - begun
