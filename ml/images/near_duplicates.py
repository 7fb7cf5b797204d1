"""Find pictures that show the same photo, by their embeddings and then by their pixels.

A backbone gives nearly the same features for a photo that was resized, recompressed, mirrored or cropped a little. So
only the nearest few of each picture are compared pixel by pixel, see `ml.images.likeness`.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ml.blas import blas_on_one_core
from ml.images.likeness import likenesses
from ml.images.neighbours import find_nearest, reduce_features, to_unit

NEIGHBOURS = 5  # of each picture that are compared with it
LEAST_COSINE = 0.65
# Of the cosine of the features plus twice the likeness of the pixels. Chosen on 847 photos with eight alterations of
# every second one: 99.8 % of those resized, recompressed, lightened, mirrored or cropped by up to 8 % are found.
LEAST_SUM = 2.2
_PAIRS = 128  # whose pixels are compared at once: whoever looks for them may be asked to stop between any two

Pair = tuple[int, int]
Sketches = Callable[[Sequence[int]], NDArray[np.uint8]]


def find_near_duplicates(features: NDArray[np.float32], new: Sequence[int], sketches: Sketches) -> Iterator[list[Pair]]:
    """Yield, block by block, the pairs of pictures that show the same photo, of which at least one is new.

    Args:
        features: of all pictures, (N, F).
        new: the rows that have not been compared with the others before.
        sketches: returns the sketches of rows, see `ml.images.likeness.make_sketch`.
    """
    seen: set[Pair] = set()
    for block in _find_candidates(features, np.asarray(new, np.intp)):
        fresh = [pair for pair in block if pair not in seen]
        seen.update(fresh)
        for start in range(0, len(fresh), _PAIRS):
            yield _confirm(features, np.array(fresh[start : start + _PAIRS]), sketches)


def _confirm(features: NDArray[np.float32], pairs: NDArray[np.intp], sketches: Sketches) -> list[Pair]:
    first, second = (to_unit(features[pairs[:, side]]) for side in (0, 1))
    cosines = (first * second).sum(1)
    pairs, cosines = pairs[cosines >= LEAST_COSINE], cosines[cosines >= LEAST_COSINE]
    if not len(pairs):
        return []
    rows, places = np.unique(pairs, return_inverse=True)
    drawn, places = sketches(rows.tolist()), places.reshape(pairs.shape)
    with blas_on_one_core(with_scipy=False):  # for many small products
        alike = cosines + 2 * likenesses(drawn, places) >= LEAST_SUM
    return [(int(a), int(b)) for a, b in pairs[alike]]


def _find_candidates(features: NDArray[np.float32], new: NDArray[np.intp]) -> Iterator[list[Pair]]:
    """Yield the pairs (the smaller row first) of new pictures and their nearest neighbours."""
    for found in find_nearest(reduce_features(features), new, NEIGHBOURS):
        places, ranks = np.nonzero(found.cosines >= LEAST_COSINE - 0.05)  # fewer dimensions blur it a little
        pairs = np.sort(np.stack([found.rows[places], found.others[places, ranks]], axis=1), axis=1)
        yield [(first, second) for first, second in pairs.tolist()]


def join_groups(count: int, pairs: Sequence[Pair]) -> list[int]:
    """Return for each of `count` rows the smallest row that it is connected with by pairs, itself if by none."""
    parent = list(range(count))

    def find(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for first, second in pairs:
        low, high = sorted((find(first), find(second)))
        parent[high] = low
    return [find(row) for row in range(count)]
