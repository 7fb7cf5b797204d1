"""Store a tuned backbone as a custom one: a frozen graph and its LiteRT form, proven to give the same numbers."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.backbones.backbone import Backbone
from ml.backbones.spec import CONVERTED, GRAPH, LITERT, BackboneFiles, BackboneSpec, Origin
from ml.training.fine_tuning import TuningFailed


def freeze_tuned(network: Any, backbone: Backbone, pictures: NDArray[np.uint8], scratch: Path) -> BackboneFiles:
    """Return the files of a tuned keras.Model that was built by `backbone`.

    Args:
        pictures: uint8 (K, S, S, 3), a few on which LiteRT must give the same features as Keras.
        scratch: a folder to work in.

    Import TensorFlow. Raise `TuningFailed` if LiteRT cannot run the network or gives other numbers.
    """
    from ml.backbones.frozen_graphs import write_graph
    from ml.engines.graph_conversion import convert_checked

    with tempfile.TemporaryDirectory(dir=scratch, prefix="tuned-") as folder:
        graph, converted = Path(folder, GRAPH), Path(folder, CONVERTED)
        write_graph(network, graph)
        answers = np.asarray(network(pictures.astype(np.float32), training=False), np.float32)
        why = convert_checked(graph.read_bytes(), converted, pictures, answers)
        if why:
            raise TuningFailed(f"The fine-tuned network cannot be used: {why}. Train without fine-tuning.")
        files = {GRAPH: graph.read_bytes(), CONVERTED: converted.read_bytes()}
    return BackboneFiles(_describe(backbone, files[GRAPH]), files)


def _describe(backbone: Backbone, graph: bytes) -> BackboneSpec:
    return BackboneSpec(
        file=GRAPH,
        sha256=hashlib.sha256(graph).hexdigest(),
        input_size=backbone.input_size,
        features=backbone.features,
        engine=LITERT,
        title=f"{backbone.title}, fine-tuned",
        source=backbone.name,
        licence=backbone.licence,
        origin=Origin.FINE_TUNED,
    )
