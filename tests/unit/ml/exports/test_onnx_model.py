"""Test that the ONNX file passes ONNX's own check, describes itself, and takes any number of pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.backbones.registry import get_backbone
from ml.exports import onnx_model
from ml.exports.parts import Parts
from ml.exports.registry import FORMATS
from ml.training.head import Head
from poetsweb.folders import ML
from tests.shipped import load_shipped

if FORMATS["onnx"].unavailable_reason:
    pytest.skip(FORMATS["onnx"].unavailable_reason, allow_module_level=True)

TESTING = get_backbone("testing", ML)
LABELS = ["red", "苹果", "a\nb"]
HEAD = Head(np.random.default_rng(1).standard_normal((TESTING.features, 3)).astype(np.float32), np.zeros(3, np.float32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    onnx_model.build(Parts("Colours", 7, TESTING, HEAD, LABELS), folder)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    import onnx

    return onnx.load(folder / onnx_model.MODEL)


def test_is_valid_onnx_with_named_ends(model: Any) -> None:
    import onnx

    onnx.checker.check_model(model, full_check=True)
    ends = {
        tensor.name: [size.dim_param or size.dim_value for size in tensor.type.tensor_type.shape.dim]
        for tensor in (*model.graph.input, *model.graph.output)
    }
    assert ends == {"pictures": ["N", 32, 32, 3], "probabilities": ["N", 3]}


def test_says_within_what_lies_beside_it(model: Any, folder: Path) -> None:
    within = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert within == json.loads((folder / "metadata.json").read_text())
    assert within["labels"] == LABELS
    assert within["input"] == {"shape": [None, 32, 32, 3], "colours": "RGB", "range": [0, 255], "dtype": "float32"}
    assert (folder / "labels.txt").read_text() == "red\n苹果\na b\n"


def test_several_pictures_are_answered_as_each_alone(folder: Path) -> None:
    import onnxruntime

    answer = load_shipped(folder)
    pictures = np.random.default_rng(2).integers(0, 256, (3, 32, 32, 3), np.uint8)
    session = onnxruntime.InferenceSession(str(folder / onnx_model.MODEL), providers=["CPUExecutionProvider"])
    (together,) = session.run(["probabilities"], {"pictures": pictures.astype(np.float32)})
    assert together.shape == (3, 3)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, np.stack([answer(b"", one)[0] for one in pictures]), atol=1e-6)
    features = np.asarray(TESTING.build_network()(pictures.astype(np.float32)))
    np.testing.assert_allclose(together, HEAD.probabilities(features), atol=1e-4)
