"""Read and write TFLite Metadata, from which phones know what a .tflite file takes and what its numbers mean.

It is a FlatBuffer in one of the model's own buffers, named TFLITE_METADATA; label files lie in a zip at the end of the
file (https://ai.google.dev/edge/litert/models/metadata). The numbers below are the places of fields in its schema,
metadata_schema.fbs of TFLite Support.
"""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_MAX_LABEL_BYTES = 2**20
# Of ModelMetadata, SubGraphMetadata, TensorMetadata and Content.
_MODEL_NAME, _MODEL_DESCRIPTION, _MODEL_VERSION, _SUBGRAPHS, _PARSER = 0, 1, 2, 3, 7
_INPUTS, _OUTPUTS = 2, 3
_TENSOR_NAME, _TENSOR_DESCRIPTION, _CONTENT, _PROCESS_UNITS, _STATS, _FILES = 0, 1, 3, 4, 5, 6
_PROPERTIES_TYPE, _PROPERTIES = 0, 1
_FEATURE_PROPERTIES, _IMAGE_PROPERTIES, _RGB = 1, 2, 1
# Of ProcessUnit, NormalizationOptions, Stats and AssociatedFile.
_OPTIONS_TYPE, _OPTIONS, _NORMALIZATION = 0, 1, 1
_MEAN, _STD = 0, 1
_MAX, _MIN = 0, 1
_FILE_NAME, _FILE_DESCRIPTION, _FILE_TYPE, _AXIS_LABELS = 0, 1, 2, 2


@dataclass(frozen=True)
class Metadata:
    """What a file says of itself.

    Attributes:
        mean, std: pixels are to be normalised as (pixel - mean) / std, for each colour or for all; empty if unknown.
        labels: the content of the label file of its output, or None.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: bytes | None = None


def read_metadata(path: Path) -> Metadata:
    """Return the metadata of a .tflite file. What is missing or damaged is left out."""
    try:
        root = _find_root(path.read_bytes())
        subgraph = root and root.tables(_SUBGRAPHS)[0]
        if not subgraph:
            return Metadata()
        source, target = subgraph.tables(_INPUTS)[:1], subgraph.tables(_OUTPUTS)[:1]
        units = [unit for tensor in source for unit in tensor.tables(_PROCESS_UNITS)]
        options = [unit.table(_OPTIONS) for unit in units if unit.byte(_OPTIONS_TYPE) == _NORMALIZATION][:1]
        files = [file for tensor in target for file in tensor.tables(_FILES)]
        named = [file.text(_FILE_NAME) for file in files if file.byte(_FILE_TYPE) == _AXIS_LABELS]
        mean, std = (options[0].floats(_MEAN), options[0].floats(_STD)) if options else ((), ())
        return Metadata(mean, std, _read_file(path, named[0]) if named else None)
    except Exception:  # whatever a damaged file makes the reading of tables raise
        return Metadata()


def _read_file(path: Path, name: str) -> bytes | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name) if archive.getinfo(name).file_size <= _MAX_LABEL_BYTES else None
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError, zlib.error):
        return None


class _Table:
    """A table of a FlatBuffer, read by the places of its fields."""

    def __init__(self, data: bytes, at: int) -> None:
        from flatbuffers.table import Table

        self._data, self._table = data, Table(data, at)

    def _at(self, field: int) -> int:
        return int(self._table.Offset(4 + 2 * field))

    def table(self, field: int) -> "_Table":
        return _Table(self._data, self._table.Indirect(self._table.Pos + self._at(field)))

    def tables(self, field: int) -> "list[_Table]":
        at = self._at(field)
        if not at:
            return []
        start, count = self._table.Vector(at), self._table.VectorLen(at)
        return [_Table(self._data, self._table.Indirect(start + 4 * place)) for place in range(min(count, 1000))]

    def floats(self, field: int) -> tuple[float, ...]:
        at = self._at(field)
        if not at:
            return ()
        return struct.unpack_from(f"<{min(self._table.VectorLen(at), 4)}f", self._data, self._table.Vector(at))

    def byte(self, field: int) -> int:
        at = self._at(field)
        return self._data[self._table.Pos + at] if at else 0

    def text(self, field: int) -> str:
        at = self._at(field)
        return bytes(self._table.String(self._table.Pos + at)).decode() if at else ""


def _find_root(model: bytes) -> _Table | None:
    from ai_edge_litert import schema_py_generated as schema

    found = schema.Model.GetRootAs(model, 0)
    for place in range(found.MetadataLength()):
        entry = found.Metadata(place)
        if entry.Name() == NAME.encode():
            data = found.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            return _Table(data, int.from_bytes(data[:4], "little"))
    return None


def write_metadata(
    model: bytes, *, title: str, version: str, labels_file: str, mean: float = 0.0, std: float = 1.0
) -> bytes:
    """Return a .tflite model with metadata: it takes (pixel - mean) / std, and gives probabilities of its labels.

    `labels_file` is the name of the label file in the zip that the caller appends. With the defaults the network takes
    pixels as they are.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    described = _describe(title, version, labels_file, (mean, std))
    network = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(described)
    network.buffers.append(buffer)
    entry.name, entry.buffer = NAME, len(network.buffers) - 1
    network.metadata = [*(network.metadata or []), entry]
    builder = flatbuffers.Builder(len(model) + 2**16)
    builder.Finish(network.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _describe(title: str, version: str, labels_file: str, normalisation: tuple[float, float]) -> bytes:
    """Return the FlatBuffer itself."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    subgraph = _table(
        builder,
        {
            _INPUTS: _tables(builder, [_input(builder, *normalisation)]),
            _OUTPUTS: _tables(builder, [_output(builder, labels_file)]),
        },
    )
    root = {
        _MODEL_NAME: builder.CreateString(title),
        _MODEL_DESCRIPTION: builder.CreateString("An image classifier made with PoetsWeb."),
        _MODEL_VERSION: builder.CreateString(version),
        _SUBGRAPHS: _tables(builder, [subgraph]),
        _PARSER: builder.CreateString("1.0.0"),
    }
    builder.Finish(_table(builder, root), _IDENTIFIER)
    return bytes(builder.Output())


def _input(builder: Any, mean: float, std: float) -> int:
    """Describe pictures: programs on phones refuse a network that does not say how to normalise them."""
    colours = _table(builder, {0: _Byte(_RGB)})
    options = _table(builder, {_MEAN: _floats(builder, mean), _STD: _floats(builder, std)})
    unit = _table(builder, {_OPTIONS_TYPE: _Byte(_NORMALIZATION), _OPTIONS: options})
    fields = {
        _TENSOR_NAME: builder.CreateString("image"),
        _TENSOR_DESCRIPTION: builder.CreateString("A picture in RGB."),
        _CONTENT: _table(builder, {_PROPERTIES_TYPE: _Byte(_IMAGE_PROPERTIES), _PROPERTIES: colours}),
        _PROCESS_UNITS: _tables(builder, [unit]),
        _STATS: _table(builder, {_MAX: _floats(builder, (255 - mean) / std), _MIN: _floats(builder, -mean / std)}),
    }
    return _table(builder, fields)


def _output(builder: Any, labels_file: str) -> int:
    file = {
        _FILE_NAME: builder.CreateString(labels_file),
        _FILE_DESCRIPTION: builder.CreateString("The class of each probability, one per line."),
        _FILE_TYPE: _Byte(_AXIS_LABELS),
    }
    content = {_PROPERTIES_TYPE: _Byte(_FEATURE_PROPERTIES), _PROPERTIES: _table(builder, {})}
    fields = {
        _TENSOR_NAME: builder.CreateString("probability"),
        _TENSOR_DESCRIPTION: builder.CreateString("The probability of each class."),
        _CONTENT: _table(builder, content),
        _STATS: _table(builder, {_MAX: _floats(builder, 1.0), _MIN: _floats(builder, 0.0)}),
        _FILES: _tables(builder, [_table(builder, file)]),
    }
    return _table(builder, fields)


class _Byte(int):
    """A field that is stored as a byte rather than as the place of something."""


def _table(builder: Any, fields: dict[int, int]) -> int:
    """Write a table, after everything in it, and return its place."""
    builder.StartObject(max(fields, default=-1) + 1)
    for field, value in fields.items():
        if isinstance(value, _Byte):
            builder.PrependUint8Slot(field, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(field, value, 0)
    return int(builder.EndObject())


def _tables(builder: Any, tables: list[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def _floats(builder: Any, value: float) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return int(builder.EndVector())
