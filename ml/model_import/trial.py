"""Try the usual ranges on labelled pictures, for a classifier whose file does not say which one it expects."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.backbones.spec import CONVERTED, GRAPH, LITERT, BackboneFiles
from ml.engines.confined import ConfinedEngine, in_litert, in_tensorflow
from ml.engines.litert import Adapter
from ml.model_import.ranges import USUAL, relative_scaling, scaling_of

PICTURES = 100  # enough to tell ranges apart, which differ by much or not at all


def choose_range(
    opened: BackboneFiles,
    pictures: NDArray[np.uint8],
    labels: NDArray[np.int64],
    scratch: Path,
    *,
    unconfined: bool = False,
) -> str:
    """Return the range with which a classifier answers best; its own if none is better.

    Args:
        opened: the classifier, whose features are logarithms of probabilities or logits, opened with some range.
        pictures: uint8 (K, S, S, 3), framed as it expects them; K is at least 1.
        labels: the true outputs (K,).
        scratch: a folder to work in.
        unconfined: whether it runs where the system cannot confine it.

    Raise `EngineFailed` if it cannot answer a picture.
    """
    own = opened.spec.range
    # Of equally good ones the first stays; -1..1 and label_image are all but the same.
    candidates = [own, *(one for one in USUAL if one != own and (own, one) != ("label_image", "-1..1"))]
    with tempfile.TemporaryDirectory(dir=scratch, prefix="trial-") as folder:
        scores = [
            _score(_answers(opened, name, pictures, Path(folder), unconfined=unconfined), labels) for name in candidates
        ]
    return candidates[scores.index(max(scores))]


def _score(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Return the share of right answers, and the mean logarithm of the right class's probability."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    likelihoods = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    right = likelihoods[np.arange(len(labels)), labels]
    return float(np.mean(logits.argmax(axis=1) == labels)), round(float(right.mean()), 4)


def _answers(
    opened: BackboneFiles, name: str, pictures: NDArray[np.uint8], folder: Path, *, unconfined: bool
) -> NDArray[np.float32]:
    spec = opened.spec
    in_graph = spec.file == GRAPH  # which scales pixels itself, so they are changed before that
    scale, offset = relative_scaling(name, spec.range) if in_graph else scaling_of(name)
    adapter = Adapter(scale, offset, spec.logarithm, spec.one_output)
    file = CONVERTED if in_graph and spec.engine == LITERT else spec.file
    (folder / file).write_bytes(opened.files[file])
    how = in_litert(1, adapter) if spec.engine == LITERT else in_tensorflow(adapter)
    size, features = spec.input_size, spec.features
    engine = ConfinedEngine(folder / file, how, input_size=size, features=features, unconfined=unconfined)
    try:
        return engine.embed(pictures)
    finally:
        engine.close()
