"""Find which classes are taken for which, and put those that are confused side by side."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Confusion = tuple[int, int, int]  # true class, predicted class, pictures


def list_confusions(labels: Ints, predicted: Ints) -> list[Confusion]:
    """List what was taken for something else, the most frequent first."""
    wrong = labels != predicted
    counted = Counter(zip(labels[wrong].tolist(), predicted[wrong].tolist(), strict=True))
    return sorted(
        ((true, taken, count) for (true, taken), count in counted.items()), key=lambda one: (-one[2], one[0], one[1])
    )


def order_by_likeness(confusions: Sequence[Confusion], sizes: Sequence[int]) -> list[int]:
    """Return all classes in an order in which those that are often confused stand side by side.

    Clusters of classes are merged from the most confused pair on (single linkage), each turned so that the two of the
    pair come as near to each other as they can. A pair counts by the share of its pictures that are confused.
    """
    chains = {place: [place] for place in range(len(sizes))}
    for one, other in _list_pairs(confusions, sizes):
        left, right = chains[one], chains[other]
        if left is right:
            continue
        if left.index(one) < len(left) / 2:
            left = left[::-1]
        if right.index(other) >= len(right) / 2:
            right = right[::-1]
        merged = left + right
        for place in merged:
            chains[place] = merged
    found: dict[int, list[int]] = {id(chain): chain for chain in chains.values()}
    return [place for chain in sorted(found.values(), key=lambda chain: (-len(chain), min(chain))) for place in chain]


def _list_pairs(confusions: Sequence[Confusion], sizes: Sequence[int]) -> list[tuple[int, int]]:
    """List the pairs of classes that are confused, either way, the most likely first."""
    shares: Counter[tuple[int, int]] = Counter()
    for true, taken, count in confusions:
        shares[min(true, taken), max(true, taken)] += count / max(sizes[true], 1)  # type: ignore[assignment] # shares
    return sorted(shares, key=lambda pair: (-shares[pair], pair))
