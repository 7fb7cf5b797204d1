"""Tell whether two pictures show the same photo: resized, recompressed, mirrored, lighter, or cropped a little.

Both are compared as small grey squares. First the mean brightness of their rows and columns says how one could lie
within the other: which part of each axis, at most a fifth cut off on either side. Then the pixels of the best few
placements are compared by normalised cross-correlation (Lewis 1995), after what is blurred has been taken out, because
all pictures taken before one background are alike in that.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

SKETCH = 64  # pixels
_STEP, _MOST = 0.02, 0.2  # of what may be cut off at one side
_BLUR = 2  # pixels around each one
_WHOLE = 0.8  # a likeness at which cutting off nothing is right
_LEAST_AGREEMENT = 0.5  # of profiles; of pictures cropped by up to 8 % all agree better, of others one in thirteen
_WINDOWS_TRIED = 2  # along each axis
_PLAIN = 1e-3  # added to lengths: what is plain is like nothing
_AT_ONCE = 128  # pairs, of up to twice as many sketches with 70 KB each


def make_sketch(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a small grey version (SKETCH, SKETCH) of an RGB picture (S, S, 3), for `likenesses`."""
    grey = Image.fromarray(picture).convert("L")
    return np.asarray(grey.resize((SKETCH, SKETCH), Image.Resampling.BOX))


def likenesses(sketches: NDArray[np.uint8], pairs: NDArray[np.intp]) -> Floats:
    """Return how alike pairs of sketches are (P,): 1 for the same photo, about 0 for any two.

    Args:
        sketches: of pictures, (N, SKETCH, SKETCH).
        pairs: the rows (P, 2) that are compared.
    """
    found = [np.empty(0, np.float32)]
    for start in range(0, len(pairs), _AT_ONCE):
        rows, places = np.unique(pairs[start : start + _AT_ONCE], return_inverse=True)
        found.append(_compare(_Descriptors(sketches[rows]), *places.reshape(-1, 2).T))
    return np.concatenate(found)


class _Profiles:
    """The mean brightness of sketches along one axis (N, SKETCH), as a whole and as a part of another."""

    def __init__(self, profiles: Floats) -> None:
        self.parts = _normalise(profiles)
        windows = (profiles @ _ALL_WINDOWS).reshape(len(profiles), len(_WINDOWS), SKETCH)
        # The length of what is centred, without a pass over all windows to centre them: parts are centred already.
        squares = np.einsum("nwk,nwk->nw", windows, windows) - SKETCH * (profiles @ _MEANS_OF_WINDOWS) ** 2
        windows /= (np.sqrt(squares.clip(0)) + _PLAIN)[:, :, np.newaxis]
        self.windows = windows

    def agree(self, wholes: Indices, parts: Indices, *, mirrored: bool = False) -> Floats:
        """Return how well the parts, which may be mirrored, agree with each window of the wholes (P, windows)."""
        found = self.parts[parts, ::-1] if mirrored else self.parts[parts]
        agreement: Floats = np.matmul(self.windows[wholes], found[:, :, np.newaxis])[:, :, 0]
        return agreement


class _Descriptors:
    """What comparing needs of each sketch, computed once, as a picture is in several pairs."""

    def __init__(self, sketches: NDArray[np.uint8]) -> None:
        self.sharp = _sharpen(sketches)
        self.unit = _normalise(self.sharp)
        self.rows, self.columns = (_Profiles(self.sharp.mean(axis)) for axis in (2, 1))


def _compare(described: _Descriptors, first: Indices, second: Indices) -> Floats:
    """Return the likeness of pairs, whichever of the two is a part of the other, mirrored or not."""
    left, right = described.unit[first], described.unit[second]
    best = np.maximum(_correlate(left, right), _correlate(left, right[:, :, ::-1]))
    rest = np.flatnonzero(best < _WHOLE)  # most that are alike need no more: they differ in size and quality only
    for whole, part in ((first[rest], second[rest]), (second[rest], first[rest])):
        best[rest] = np.maximum(best[rest], _within(described, whole, part))
    return best


def _correlate(first: Floats, second: Floats) -> Floats:
    found: Floats = np.einsum("pij,pij->p", first, second)
    return found


def _within(described: _Descriptors, whole: Indices, part: Indices) -> Floats:
    """Return the best correlation of `part` with a part of `whole`; -1 where not even their profiles agree."""
    best = np.full(len(whole), -1, np.float32)
    by_row = described.rows.agree(whole, part)
    close = np.flatnonzero(by_row.max(1, initial=-1) > _LEAST_AGREEMENT)
    for mirrored in (False, True):  # which makes no difference to rows
        by_column = described.columns.agree(whole[close], part[close], mirrored=mirrored)
        both = by_column.max(1, initial=-1) > _LEAST_AGREEMENT
        here = close[both]
        target = described.unit[part[here]][:, :, ::-1] if mirrored else described.unit[part[here]]
        found = _correlate_windows(
            described.sharp[whole[here]], target, _best_windows(by_row[here]), _best_windows(by_column[both])
        )
        best[here] = np.maximum(best[here], found)
    return best


def _best_windows(agreement: Floats) -> Indices:
    """Return the windows that agree best (_WINDOWS_TRIED, P)."""
    return np.argpartition(-agreement, _WINDOWS_TRIED, axis=1)[:, :_WINDOWS_TRIED].T


def _correlate_windows(whole: Floats, target: Floats, rows: Indices, columns: Indices) -> Floats:
    """Return the best correlation of `target` with `whole` cut to each of these windows."""
    best = np.full(len(whole), -1, np.float32)
    for row in rows:
        cut = np.matmul(_WINDOWS[row], whole)
        for column in columns:
            window = np.matmul(cut, _WINDOWS[column].transpose(0, 2, 1))
            best = np.maximum(best, _correlate(_normalise(window), target))
    return best


def _normalise(values: Floats) -> Floats:
    """Return arrays, one for each row, with a mean of 0 and a length of 1."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    centred: Floats = flat - flat.mean(1, keepdims=True)
    centred /= np.sqrt(np.einsum("ni,ni->n", centred, centred))[:, np.newaxis] + _PLAIN
    return centred.reshape(values.shape)


def _sharpen(sketches: NDArray[np.uint8]) -> Floats:
    """Take out what is blurred: subtract from each pixel the mean of those around it."""
    values = sketches.astype(np.float32)
    return values - _mean_along(_mean_along(values, 1), 2)


def _mean_along(values: Floats, axis: int) -> Floats:
    widths = [(_BLUR, _BLUR) if place == axis else (0, 0) for place in range(3)]
    padded = np.moveaxis(np.pad(values, widths, mode="edge"), axis, 0)
    total = np.zeros_like(padded[2 * _BLUR :])
    for shift in range(2 * _BLUR + 1):
        total += padded[shift : shift + len(total)]
    total /= 2 * _BLUR + 1
    return np.moveaxis(total, 0, axis)


def _window(begin: float, end: float) -> Floats:
    """Return the matrix that stretches the part of a row between two shares of it to the whole length."""
    places = (begin + (np.arange(SKETCH) + 0.5) / SKETCH * (end - begin)) * SKETCH - 0.5
    places = places.clip(0, SKETCH - 1)
    before = np.floor(places).astype(int).clip(0, SKETCH - 2)
    matrix, share, rows = np.zeros((SKETCH, SKETCH), np.float32), places - before, np.arange(SKETCH)
    matrix[rows, before] += 1 - share
    matrix[rows, before + 1] += share
    return matrix


_CUTS = np.arange(0, _MOST + _STEP / 2, _STEP)
_WINDOWS = np.array([_window(begin, 1 - end) for begin in _CUTS for end in _CUTS])
_ALL_WINDOWS = np.ascontiguousarray(_WINDOWS.reshape(-1, SKETCH).T)  # as one matrix, for one product
_MEANS_OF_WINDOWS = np.ascontiguousarray(_WINDOWS.mean(1).T)
