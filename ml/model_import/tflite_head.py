"""See in a .tflite file what its first steps do to pixels, and whether it is a network of Teachable Machine.

The file's schema comes with LiteRT. A damaged file may make it raise anything, in which case nothing is told.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.model_import.graph_head import is_teachable_machine
from ml.model_import.ranges import range_before, range_of_weights

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def told_by_head(path: Path) -> str:
    """Return the range that the network expects as its first steps show, or ""."""
    try:
        return _Network(path.read_bytes()).range()
    except Exception:  # whatever a damaged file makes the schema's code raise
        return ""


def is_teachable(path: Path) -> bool:
    """Return whether this is a network of Teachable Machine (see `is_teachable_machine`)."""
    try:
        return _Network(path.read_bytes()).is_teachable()
    except Exception:  # likewise
        return False


class _Network:
    """The operations of the first graph in a file."""

    def __init__(self, data: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}
        self._model = schema.Model.GetRootAs(data, 0)
        self._graph = self._model.Subgraphs(0)
        self._operators = [self._graph.Operators(place) for place in range(self._graph.OperatorsLength())]

    def range(self) -> str:
        scale, offset = 1.0, 0.0
        steps: list[tuple[float, float]] = []
        for operator in self._chain(int(self._graph.Inputs(0))):
            kind, value = self._kind(operator), self._other(operator)
            if kind in _CONVOLUTIONS:
                return range_before(steps) or ("" if steps else _by_weights(value, depthwise=kind != "CONV_2D"))
            if value is None:
                break
            mean = float(np.mean(value))
            factor = mean if kind == "MUL" else 1 / mean if kind == "DIV" else 1.0
            scale, offset = scale * factor, offset * factor + {"ADD": mean, "SUB": -mean}.get(kind, 0.0)
            steps.append((scale, offset))
        return range_before(steps)

    def _chain(self, at: int) -> Iterator[Any]:
        """Yield the operations that follow the tensor `at`, one after the other, as long as there is one only."""
        steps = ("MUL", "DIV", "ADD", "SUB", *_CONVOLUTIONS)
        while True:
            following = [one for one in self._operators if at in one.InputsAsNumpy()]
            if len(following) != 1 or (self._kind(following[0]) in steps and following[0].Inputs(0) != at):
                return
            if self._kind(following[0]) in steps:
                yield following[0]
            elif self._kind(following[0]) not in ("CAST", "RESHAPE"):
                return
            at = int(following[0].Outputs(0))

    def is_teachable(self) -> bool:
        kinds = [self._kind(operator) for operator in self._operators]
        dense = [one for one, kind in zip(self._operators, kinds, strict=True) if kind == "FULLY_CONNECTED"]
        shapes = [tuple(self._graph.Tensors(one.Inputs(1)).ShapeAsNumpy().tolist()[::-1]) for one in dense]
        return is_teachable_machine(kinds.count("DEPTHWISE_CONV_2D"), shapes)

    def _kind(self, operator: Any) -> str:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        kind: str = self._kinds.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "")
        return kind

    def _other(self, operator: Any) -> "NDArray[np.float32] | None":
        """Return the second operand or the weights, if they are float32 constants."""
        tensor = self._graph.Tensors(operator.Inputs(1))
        buffer = self._model.Buffers(tensor.Buffer())
        shape = tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
        if tensor.Type() != 0 or not buffer.DataLength():  # FLOAT32 of the schema
            return None
        return np.frombuffer(buffer.DataAsNumpy().tobytes(), np.float32).reshape(shape)


def _by_weights(weights: "NDArray[np.float32] | None", *, depthwise: bool) -> str:
    if weights is None:
        return ""
    inputs = math.prod(weights.shape[1:3] if depthwise else weights.shape[1:])
    return range_of_weights(float(np.sqrt(np.mean(np.square(weights)))), inputs)
