"""Run a converted backbone up to its last feature map: what its features are the averages of, place by place.

The networks end in a global average pooling, which LiteRT calls MEAN. A file whose graph gives the input of that step
instead of its output computes the same numbers with the same weights, so nothing has to be converted again: a few bytes
of the file are changed in memory, and TensorFlow is not needed. The file's schema comes with LiteRT.
"""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.engines.litert import AS_IT_IS, Adapter, LiteRTEngine
from ml.errors import Refused

_OUTPUTS = 8  # the place of this field in the schema's SubGraph
_PLACES = [1, 2]  # the axes of a map (N, H, W, F) that pooling averages over


class NoFeatureMap(Refused):
    """The network's features are not averages over the places of a picture. The message is a sentence for the user."""

    def __init__(self) -> None:
        super().__init__(
            "This network has no heat map: what it knows of a picture is not an average over the picture’s places."
        )


class FeatureMapEngine(LiteRTEngine):
    """An engine that tells the features of every place of a picture."""

    def __init__(self, path: Path, *, threads: int = 1, adapter: Adapter = AS_IT_IS) -> None:
        """Load a converted backbone. Raise `NoFeatureMap` if it has no last feature map, `ValueError` as its base."""
        if adapter.logarithm or adapter.one_output:  # its features are not what the network gives
            raise NoFeatureMap
        super().__init__(path, threads=threads, adapter=adapter, prepare=with_feature_maps)

    def feature_map(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the float32 features (H, W, F) at the places of a uint8 RGB picture (S, S, 3).

        Their mean over the places is what `embed` of a `LiteRTEngine` returns. Where a network averages several maps,
        each is repeated to the size of the largest, which leaves its mean as it is.
        """
        self._check(picture[np.newaxis])
        with self._lock:
            self._run(picture[np.newaxis])
            maps = [self._interpreter.get_tensor(one["index"])[0] for one in self._interpreter.get_output_details()]
        size = maps[int(np.argmax([len(one) for one in maps]))].shape[:2]
        return np.concatenate([_repeat(one, size) for one in maps], axis=-1, dtype=np.float32)


def _repeat(one: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    return one.repeat(size[0] // one.shape[0], axis=0).repeat(size[1] // one.shape[1], axis=1)


def has_feature_map(path: Path) -> bool:
    """Return whether a converted backbone has a last feature map, without reading more of it than its operations."""
    with _mapped(path) as data:
        return bool(_Graph(data).maps())


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def with_feature_maps(data: bytes) -> bytes:
    """Return a .tflite file that gives the maps which the features of this one are averages of.

    Raise `NoFeatureMap` if there are none.
    """
    graph = _Graph(data)
    maps = graph.maps()
    if not maps:
        raise NoFeatureMap
    changed = bytearray(data)
    changed += bytes(-len(changed) % 4)  # where a list of numbers may begin
    struct.pack_into("<I", changed, graph.outputs_at, len(changed) - graph.outputs_at)  # offsets are relative
    changed += struct.pack(f"<I{len(maps)}i", len(maps), *maps)
    return bytes(changed)


class _Graph:
    """The operations of the first graph in a .tflite file."""

    def __init__(self, data: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._names = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}
        self._model = schema.Model.GetRootAs(data, 0)
        self._graph = self._model.Subgraphs(0)
        self._makers = {
            int(operator.Outputs(0)): operator
            for operator in (self._graph.Operators(place) for place in range(self._graph.OperatorsLength()))
        }

    @property
    def outputs_at(self) -> int:
        """Return where in the file it says where the list of outputs is."""
        table = self._graph._tab
        return int(table.Pos + table.Offset(_OUTPUTS))

    def maps(self) -> list[int]:
        """Return the tensors whose averages the network's one output consists of; none if it is something else."""
        parts = self._parts(int(self._graph.Outputs(0))) if self._graph.OutputsLength() == 1 else []
        maps = [self._averaged(part) for part in parts]
        shapes = [self._shape(one) for one in maps if one is not None]
        if not shapes or len(shapes) != len(parts) or any(len(shape) != 4 for shape in shapes):
            return []
        largest = max(shapes, key=lambda shape: shape[1])
        even = all(largest[axis] % shape[axis] == 0 for shape in shapes for axis in _PLACES)
        return [one for one in maps if one is not None] if even else []

    def _parts(self, tensor: int) -> list[int]:
        """Return the tensors that are put side by side in this one, which may be this one alone."""
        maker = self._makers.get(tensor)
        if maker is None or self._kind(maker) != "CONCATENATION":
            return [tensor]
        return [int(maker.Inputs(place)) for place in range(maker.InputsLength())]

    def _averaged(self, tensor: int) -> int | None:
        maker = self._makers.get(tensor)
        if maker is None or self._kind(maker) != "MEAN" or len(self._shape(tensor)) != 2:
            return None
        buffer = self._model.Buffers(self._graph.Tensors(maker.Inputs(1)).Buffer())
        axes = np.frombuffer(buffer.DataAsNumpy().tobytes(), "<i4").tolist() if buffer.DataLength() else []
        return int(maker.Inputs(0)) if sorted(axes) == _PLACES else None

    def _shape(self, tensor: int) -> list[int]:
        row = self._graph.Tensors(tensor)
        return [int(one) for one in row.ShapeAsNumpy()] if row.ShapeLength() else []

    def _kind(self, operator: Any) -> str:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        return str(self._names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), ""))
