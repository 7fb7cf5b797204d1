"""Tell whether two pictures show the same photo: resized, recompressed, mirrored, lighter, or cropped a little.

Both are compared as small grey squares. First the mean brightness of their rows and columns says how one could lie
within the other: which part of each axis, at most a fifth cut off on either side. Then the pixels of the best few
placements are compared by normalised cross-correlation (Lewis 1995), after what is blurred has been taken out, because
all pictures taken before one background are alike in that.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

SKETCH = 64  # pixels
_STEP, _MOST = 0.02, 0.2  # of what may be cut off at one side
_BLUR = 2  # pixels around each one
_WHOLE = 0.8  # a likeness at which cutting off nothing is right
_LEAST_AGREEMENT = 0.5  # of profiles; of pictures cropped by up to 8 % all agree better, of others one in thirteen
_PLACEMENTS = 2  # that are tried along each axis
_PLAIN = 1e-3  # added to lengths: what is plain is like nothing
_AT_ONCE = 64  # pairs, which bounds the memory


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
    if not len(pairs):
        return np.empty(0, np.float32)
    # Once for each picture, which is in several pairs.
    sharp = np.concatenate(
        [_sharpen(sketches[start : start + _AT_ONCE]) for start in range(0, len(sketches), _AT_ONCE)]
    )
    blocks = (pairs[start : start + _AT_ONCE] for start in range(0, len(pairs), _AT_ONCE))
    return np.concatenate([_compare(sharp[block[:, 0]], sharp[block[:, 1]]) for block in blocks])


def _compare(first: Floats, second: Floats) -> Floats:
    """Return the likeness of pairs, whichever of the two is a part of the other, mirrored or not."""
    mirrored = second[:, :, ::-1]
    best = np.maximum(_correlate(first, second), _correlate(first, mirrored))
    left = np.flatnonzero(best < _WHOLE)  # most that are alike need no more: they differ in size and quality only
    first, second, mirrored = first[left], second[left], mirrored[left]
    ways = ((first, second), (second, first), (first, mirrored), (mirrored, first))
    best[left] = np.max([best[left], *(_within(whole, part) for whole, part in ways)], axis=0)
    return best


def _correlate(first: Floats, second: Floats) -> Floats:
    found: Floats = (_normalise(first, (1, 2)) * _normalise(second, (1, 2))).sum((1, 2))
    return found


def _within(whole: Floats, part: Floats) -> Floats:
    """Return the best correlation of `part` with a part of `whole`; -1 where not even their profiles agree."""
    (rows, by_row), (columns, by_column) = (_place(whole.mean(axis), part.mean(axis)) for axis in (2, 1))
    best = np.full(len(whole), -1, np.float32)
    close = np.flatnonzero(np.minimum(by_row, by_column) > _LEAST_AGREEMENT)
    whole, target = whole[close], _normalise(part[close], (1, 2))
    for row in rows[close].T:
        cut = np.matmul(_WINDOWS[row], whole)
        for column in columns[close].T:
            window = np.matmul(cut, _WINDOWS[column].transpose(0, 2, 1))
            best[close] = np.maximum(best[close], (_normalise(window, (1, 2)) * target).sum((1, 2)))
    return best


def _place(whole: Floats, part: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the windows (P, _PLACEMENTS) in which the profiles (P, SKETCH) agree best, and how well they do (P,)."""
    windows = (whole @ _ALL_WINDOWS).reshape(len(whole), len(_WINDOWS), SKETCH)
    # The same as of normalised windows, without passing over all of them twice more to centre and to divide them.
    centred = np.einsum("pwk,pwk->pw", windows, windows) - SKETCH * (whole @ _MEANS_OF_WINDOWS) ** 2
    agreement = np.matmul(windows, _normalise(part, (1,))[:, :, np.newaxis])[:, :, 0]
    agreement /= np.sqrt(centred.clip(0)) + _PLAIN
    return np.argpartition(-agreement, _PLACEMENTS, axis=1)[:, :_PLACEMENTS], agreement.max(1)


def _normalise(values: Floats, axes: tuple[int, ...]) -> Floats:
    centred: Floats = values - values.mean(axes, keepdims=True)
    length = np.sqrt(
        np.einsum("...i,...i", centred, centred) if len(axes) == 1 else np.einsum("pij,pij->p", centred, centred)
    )
    centred /= length.reshape(length.shape + (1,) * len(axes)) + _PLAIN
    return centred


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
