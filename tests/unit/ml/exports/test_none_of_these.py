"""Test that files which refuse pictures are, for everything that does not ask, what they were before."""

from pathlib import Path

import numpy as np
import pytest

from ml.backbones.frozen_graphs import ensure_graph
from ml.backbones.registry import get_backbone
from ml.exports import frozen_graph, tflite
from ml.exports.none_of_these import OUTPUT, least_of_answers
from ml.exports.parts import Parts
from ml.training.head import Head
from ml.training.out_of_distribution import fit_detector
from ml.training.rejection import NEVER, NOTHING_REFUSED, Rejection
from poetsweb.folders import ML

TESTING = get_backbone("testing", ML)
RNG = np.random.default_rng(3)
HEAD = Head(RNG.standard_normal((TESTING.features, 3)).astype(np.float32), np.zeros(3, np.float32))


@pytest.fixture(scope="module")
def parts() -> Parts:
    features = RNG.standard_normal((30, TESTING.features)).astype(np.float32)
    detector = fit_detector(features, np.arange(30) % 3, [str(number) for number in range(30)])
    return Parts("Things", 1, TESTING, HEAD, ["a", "b", "c"], Rejection(detector))


def test_least_of_answers() -> None:
    assert least_of_answers(NOTHING_REFUSED, 2) is None
    assert least_of_answers(Rejection(None, None, (1,)), 2).tolist() == [0.0, NEVER]  # type: ignore[union-attr]
    both = Rejection(None, np.array([0.5, 0.75, 0.25], np.float32), (0,))
    assert least_of_answers(both, 3).tolist() == [NEVER, 0.75, 0.25]  # type: ignore[union-attr]


@pytest.mark.slow
def test_tflite_file_has_one_graph_with_one_output_and_another_file_refuses(parts: Parts, tmp_path: Path) -> None:
    """Keep to what MediaPipe takes: it refuses a file with two subgraphs, and reads each output as scores."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    tflite.FLOAT32.build(parts, tmp_path)
    model = schema.Model.GetRootAs((tmp_path / tflite.MODEL).read_bytes(), 0)
    assert model.SubgraphsLength() == 1
    interpreter = Interpreter(model_path=str(tmp_path / tflite.MODEL))
    interpreter.allocate_tensors()
    (output,) = interpreter.get_output_details()
    assert output["shape"].tolist() == [1, 3]
    pictures = RNG.integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    plain = interpreter.get_signature_runner()(pictures=pictures)
    full = Interpreter(model_path=str(tmp_path / tflite.REFUSING)).get_signature_runner()(pictures=pictures)
    np.testing.assert_allclose(plain["probabilities"], full["probabilities"], atol=1e-6)
    assert full[OUTPUT].dtype == bool


@pytest.mark.slow
def test_frozen_graph_that_refuses_can_be_imported_again(parts: Parts, tmp_path: Path) -> None:
    import tensorflow as tf

    from ml.model_import.graphs import open_frozen_graph

    ensure_graph(TESTING)
    path = tmp_path / frozen_graph.GRAPH
    path.write_bytes(frozen_graph.freeze(parts))
    opened, source = open_frozen_graph(path, input_size=None)
    assert (source, opened.input_size) == ("input", 32)
    answer = tf.function(opened.call, autograph=False)(tf.zeros((2, 32, 32, 3)))
    assert answer.shape == (2, 3)
