"""Find each picture's nearest others by the cosine of their features.

A few thousand are compared all with all. Of more, each is compared with the members of the few lists whose centre is
nearest to it: an inverted file (Jégou, Douze, Schmid 2011, without the quantisation). As a list's length stays the
same, the time grows as the number of pictures does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.intp]

DIMENSIONS = 128  # in which neighbours are looked for
REDUCED_FROM = 5000  # pictures; of fewer, finding those dimensions takes longer than comparing all features
EXACT_BELOW = 10_000  # pictures
LIST = 200  # members of a list, on average
PROBES = 6  # lists in which a picture's neighbours are looked for
NOBODY = -1  # in the place of a neighbour that there is none of
_SAMPLE = 4000  # pictures from which those dimensions are learnt
_SAMPLE_OF_LIST = 40  # pictures from which a list's centre is learnt
_ROUNDS = 4  # of k-means
_BLOCK = 1024  # pictures that are compared with all others at once
_CHUNK = 8192  # pictures whose neighbours are found at once, where there are lists
_GROUP = 64  # values of which first only the largest counts


@dataclass(frozen=True)
class Nearest:
    """The neighbours of some rows.

    Attributes:
        rows: (R,).
        others: the rows that are nearest, (R, K) in no order, NOBODY where there are fewer.
        cosines: float32 (R, K).
    """

    rows: Places
    others: Places
    cosines: Floats


def reduce_features(features: Floats) -> Floats:
    """Scale features (N, F) to length 1; of many, project them to fewer dimensions with nearly the same cosines."""
    directions = _find_directions(features)
    reduced = np.empty((len(features), features.shape[1] if directions is None else DIMENSIONS), np.float32)
    for start in range(0, len(features), _BLOCK):  # whole copies of the features would be most of the memory
        block = to_unit(features[start : start + _BLOCK])
        reduced[start : start + _BLOCK] = block if directions is None else to_unit(block @ directions)
    return reduced


def _find_directions(features: Floats) -> Floats | None:
    """Return the main directions (F, DIMENSIONS) of features, or None where reducing to them would not pay."""
    if len(features) < REDUCED_FROM or features.shape[1] <= DIMENSIONS:
        return None
    sample = to_unit(features[:: max(1, len(features) // _SAMPLE)])
    directions: Floats = np.linalg.eigh(sample.T @ sample).eigenvectors[:, -DIMENSIONS:]
    return directions


def to_unit(features: Floats) -> Floats:
    """Scale each row to length 1; what is no number, as a damaged backbone may give, counts as 0."""
    finite = np.nan_to_num(features, nan=0.0, posinf=0.0, neginf=0.0)
    scaled = finite / np.maximum(np.abs(finite).max(1, keepdims=True, initial=0), 1e-30)  # whose squares are finite
    unit: Floats = scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
    return unit


def find_nearest(unit: Floats, rows: Places, count: int) -> Iterator[Nearest]:
    """Yield, for a block of the wanted rows at a time, the `count` others that are nearest to each.

    `unit` has all pictures, (N, D) of length 1, as `reduce_features` returns them.
    """
    lists = None if len(unit) < EXACT_BELOW else Lists(unit)
    size = _BLOCK if lists is None else _CHUNK
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        yield _compare_with_all(unit, block, count) if lists is None else lists.search(block, count)


def _compare_with_all(unit: Floats, rows: Places, count: int) -> Nearest:
    cosines = unit[rows] @ unit.T
    cosines[np.arange(len(rows)), rows] = -np.inf  # itself
    others = _largest(cosines, min(count, len(unit) - 1))
    return Nearest(rows, others, np.take_along_axis(cosines, others, 1))


def _largest(values: Floats, count: int) -> Places:
    """Return the columns of the `count` largest values of each row.

    Sorting takes longer than all else. So first it is found what is larger than nearly all: there are as many values
    as wanted from the least of the largest groups on.
    """
    width = values.shape[1] // _GROUP * _GROUP
    if width < 4 * count * _GROUP or not count:
        return np.argpartition(-values, count - 1, axis=1)[:, :count] if count else np.empty((len(values), 0), np.intp)
    groups = values[:, :width].reshape(len(values), -1, _GROUP).max(2)
    least = np.partition(groups, -count, axis=1)[:, -count]
    rows, columns = np.nonzero(values >= least[:, np.newaxis])
    if len(rows) > 8 * count * len(values):  # many are the same
        return np.argpartition(-values, count - 1, axis=1)[:, :count]
    order = np.lexsort((-values[rows, columns], rows))
    starts = np.searchsorted(rows, np.arange(len(values)))
    return np.asarray(columns[order][starts[:, np.newaxis] + np.arange(count)], np.intp)


class Lists:
    """All pictures, each in the list of the centre that is nearest to it."""

    def __init__(self, unit: Floats) -> None:
        self._unit = unit
        self._centres = _find_centres(unit, max(1, len(unit) // LIST))
        list_of = np.concatenate([cosines.argmax(1) for cosines in self._compare(np.arange(len(unit)))])
        self._members = np.argsort(list_of, kind="stable")
        self._starts = np.searchsorted(list_of[self._members], np.arange(len(self._centres) + 1))

    def _compare(self, rows: Places) -> Iterator[Floats]:
        for start in range(0, len(rows), _CHUNK):
            yield self._unit[rows[start : start + _CHUNK]] @ self._centres.T

    def search(self, rows: Places, count: int) -> Nearest:
        """Return the nearest of these rows among the members of the lists that are nearest to them."""
        found = Nearest(rows, np.full((len(rows), count), NOBODY, np.intp), np.full((len(rows), count), -np.inf, "f4"))
        probes = _largest(np.concatenate(list(self._compare(rows))), min(PROBES, len(self._centres))).ravel()
        order = np.argsort(probes, kind="stable")
        asking = order // (len(probes) // len(rows))
        starts = np.searchsorted(probes[order], np.arange(len(self._centres) + 1))
        for number in range(len(self._centres)):
            members = self._members[self._starts[number] : self._starts[number + 1]]
            places = asking[starts[number] : starts[number + 1]]
            if len(members) and len(places):
                self._merge(found, places, members)
        return found

    def _merge(self, found: Nearest, places: Places, members: Places) -> None:
        """Put the members of a list among what has been found for the rows at these places."""
        cosines = self._unit[found.rows[places]] @ self._unit[members].T
        cosines[found.rows[places][:, np.newaxis] == members] = -np.inf  # itself
        others = np.broadcast_to(members, cosines.shape)
        both = np.concatenate([found.cosines[places], cosines], axis=1)
        all_others = np.concatenate([found.others[places], others], axis=1)
        kept = _largest(both, found.others.shape[1])
        found.cosines[places] = np.take_along_axis(both, kept, 1)
        found.others[places] = np.where(
            np.isfinite(found.cosines[places]), np.take_along_axis(all_others, kept, 1), NOBODY
        )


def _find_centres(unit: Floats, count: int) -> Floats:
    """Return the centres of so many lists, by k-means of a sample (Lloyd 1982)."""
    sample = unit[:: max(1, len(unit) // (_SAMPLE_OF_LIST * count))]
    centres = sample[np.linspace(0, len(sample) - 1, count).astype(np.intp)]
    for _ in range(_ROUNDS):
        nearest = np.concatenate(
            [(sample[start : start + _CHUNK] @ centres.T).argmax(1) for start in range(0, len(sample), _CHUNK)]
        )
        order = np.argsort(nearest, kind="stable")
        filled, starts = np.unique(nearest[order], return_index=True)
        centres = centres.copy()
        centres[filled] = to_unit(np.add.reduceat(sample[order], starts))
    return centres
