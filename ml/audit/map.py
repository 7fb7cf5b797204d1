"""Lay out all pictures in two dimensions, so that those that look alike lie together: t-SNE (van der Maaten 2008)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.images.neighbours import NOBODY, Nearest

Floats = NDArray[np.float32]

EARLY, LATE = 100, 250  # steps
EXAGGERATION = 12.0
STEPS_AT_ONCE = 25
LEAST_FOR_LAYOUT = 10  # pictures; fewer are laid out by their principal components
MOST_PERPLEXITY = 30.0
MOST_SLOWLY = 5000  # pictures
FAST_FROM = 2000  # pictures, from which on forces are interpolated on a grid


def lay_out(vectors: Floats, nearest: Nearest, report: Callable[[float], None] = lambda _: None) -> Floats:
    """Return positions, float32 (N, 2) within -1 to 1. The same pictures get the same ones, on the same machine.

    The neighbours of a picture all attract it the same, as in openTSNE's uniform affinities; they are those that have
    been found for the rest of the audit.
    """
    if not len(vectors):
        return np.empty((0, 2), np.float32)
    start = _start(vectors)
    if len(vectors) < LEAST_FOR_LAYOUT:
        return _fit(start)
    try:
        from openTSNE import TSNEEmbedding
        from openTSNE.affinity import PrecomputedAffinities
    except ImportError:
        return _fit(_lay_out_slowly(vectors, start))

    method = "fft" if len(vectors) >= FAST_FROM else "bh"
    affinities = PrecomputedAffinities(_attractions(nearest), normalize=False)
    layout = TSNEEmbedding(
        start.astype(np.float64), affinities, negative_gradient_method=method, n_jobs=1, random_state=0
    )
    for done in range(0, EARLY + LATE, STEPS_AT_ONCE):
        early = {"exaggeration": EXAGGERATION, "momentum": 0.5} if done < EARLY else {"momentum": 0.8}
        layout.optimize(n_iter=STEPS_AT_ONCE, inplace=True, **early)
        report((done + STEPS_AT_ONCE) / (EARLY + LATE))
    return _fit(np.asarray(layout))


def _lay_out_slowly(vectors: Floats, start: Floats) -> NDArray[Any]:
    """Do the same with scikit-learn, in many times the time, where there is no openTSNE: on ARM with Linux.

    Too many pictures are laid out by their principal components.
    """
    if len(vectors) > MOST_SLOWLY:
        return start
    from sklearn.manifold import TSNE

    perplexity = min(MOST_PERPLEXITY, (len(vectors) - 1) / 3)
    layout = TSNE(init=start, perplexity=perplexity, max_iter=EARLY + LATE, random_state=0, n_jobs=1)
    return np.asarray(layout.fit_transform(vectors))


def _start(vectors: Floats) -> Floats:
    """Return the two largest principal components, very small, with which t-SNE keeps what is far apart so."""
    first_two = np.zeros((len(vectors), 2), np.float32)
    first_two[:, : vectors.shape[1]] = vectors[:, :2]
    # Pictures that are the same must not stay in one point, where no force is defined.
    noise = np.random.default_rng(0).standard_normal(first_two.shape) * 1e-3
    return np.asarray((first_two / max(float(first_two.std()), 1e-12) + noise) * 1e-4, np.float32)


def _attractions(nearest: Nearest) -> Any:
    """Return a sparse matrix (N, N) that sums to 1."""
    from scipy.sparse import csr_matrix

    rows, ranks = np.nonzero(nearest.others != NOBODY)
    count = len(nearest.rows)
    graph = csr_matrix((np.ones(len(rows)), (nearest.rows[rows], nearest.others[rows, ranks])), shape=(count, count))
    both = graph + graph.T
    return both / both.sum()


def _fit(positions: NDArray[Any]) -> Floats:
    finite = np.nan_to_num(positions)
    middle = (finite.max(0, initial=0) + finite.min(0, initial=0)) / 2
    return np.asarray((finite - middle) / max(float(np.abs(finite - middle).max(initial=0)), 1e-12), np.float32)
