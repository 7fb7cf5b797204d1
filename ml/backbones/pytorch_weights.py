"""Read a PyTorch state dict in the legacy (not zip) file format, without torch.

The file consists of five pickles (magic number, protocol version, facts about the system, the state dict, the keys of
the storages) followed, for each key in that order, by an int64 count and that many little-endian items. In the state
dict a tensor is a call of `torch._utils._rebuild_tensor_v2` on a persistent id that names its storage. Source of the
format: `_legacy_save` in torch/serialization.py.

A pickle is a program, so the file is not trusted: a scan of the opcodes admits only what state dicts need and bounds
the memory they take; the unpickler admits four kinds of names, none of which is a real function; every tensor must lie
within its storage.
"""

import io
import math
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ml.errors import Unavailable

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MAX_FILE_BYTES = 1 << 30  # the largest network that makes sense here has a tenth of this
MAX_OPCODES = 1_000_000  # EfficientNet-Lite0 has 10,696
MAX_DIMENSIONS = 8

T = TypeVar("T")

# What torch writes for a state dict (pickle protocol 2). Left out on purpose: everything that makes
# instances or reaches further names (INST, OBJ, NEWOBJ, EXT*, STACK_GLOBAL).
_OPCODES = """
    PROTO STOP MARK POP POP_MARK GLOBAL REDUCE BUILD BINPERSID PUT BINPUT LONG_BINPUT GET BINGET
    LONG_BINGET NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE
    SHORT_BINSTRING EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT
    SETITEM SETITEMS
"""
ADMITTED_OPCODES = frozenset(_OPCODES.split())

# Names of torch's storage types and the items they hold.
STORAGE_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


class WeightsCorrupt(Unavailable):
    """The file is truncated, is not in the legacy format, or asks for something a weights file does not need."""


class _Storage(NamedTuple):
    key: str
    dtype: str
    items: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in items, as torch counts


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows four kinds of names.

    What it returns is immutable or newly made, so the BUILD opcode can change nothing.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, shape, strides)
        if module == "torch" and name in STORAGE_DTYPES:
            return STORAGE_DTYPES[name]
        raise WeightsCorrupt(f"The weights file asks for {module}.{name}, which a weights file has no need of.")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, count, view = pid
        storage = _Storage(_typed(key, str), dtype, _typed(count, int))
        known = kind == "storage" and dtype in STORAGE_DTYPES.values() and view is None
        if not known or self.storages.setdefault(storage.key, storage) != storage:
            raise WeightsCorrupt("The weights file names a storage of an unknown kind.")
        return storage


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Read the tensors of a legacy PyTorch file, by name, in the file's order.

    Return read-only arrays with the shapes and strides as saved (views of one buffer: nothing is copied). Raise
    `WeightsCorrupt` if it is no valid state dict, and `OSError` if the file cannot be read.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise WeightsCorrupt(f"The weights file is larger than {MAX_FILE_BYTES >> 20} MB.")
    data = path.read_bytes()
    file = io.BytesIO(data)
    _check_header(file)
    tensors, storages = _load(file)
    keys, _ = _load(file)
    if not isinstance(tensors, dict) or not isinstance(keys, list) or set(keys) != set(storages):
        raise WeightsCorrupt("The weights file holds no state dict.")
    arrays = _read_storages(data, file.tell(), [storages[key] for key in keys])
    return {_typed(name, str): _view(_typed(tensor, _Tensor), arrays) for name, tensor in tensors.items()}


def _check_header(file: io.BytesIO) -> None:
    magic, protocol, system = (_load(file)[0] for _ in range(3))
    if magic != MAGIC or protocol != PROTOCOL:
        raise WeightsCorrupt("The weights file is not in PyTorch's legacy format.")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise WeightsCorrupt("The weights file is not little-endian.")


def _load(file: io.BytesIO) -> tuple[Any, dict[str, _Storage]]:
    """Load the next pickle, and return its value and the storages it names."""
    start = file.tell()
    _guarded(lambda: _scan(file))
    file.seek(start)
    unpickler = _Unpickler(file)
    return _guarded(unpickler.load), unpickler.storages


def _guarded(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except WeightsCorrupt:
        raise
    except Exception as error:  # the pickle module says that a broken pickle may raise anything
        raise WeightsCorrupt(f"The weights file is truncated or corrupt ({error}).") from error


def _scan(file: io.BytesIO) -> None:
    """Walk one pickle's opcodes without running them; `genops` itself refuses arguments beyond the end."""
    for count, (opcode, argument, _position) in enumerate(pickletools.genops(file)):
        if opcode.name not in ADMITTED_OPCODES or count > MAX_OPCODES:
            raise WeightsCorrupt(f"The weights file is not a plain state dict (opcode {opcode.name}, number {count}).")
        # The unpickler allocates its memo up to the largest index, whatever the file's size.
        if opcode.name in ("PUT", "LONG_BINPUT") and not 0 <= int(argument or 0) <= MAX_OPCODES:
            raise WeightsCorrupt("The weights file is corrupt: it asks for too much memory.")


def _read_storages(data: bytes, position: int, storages: list[_Storage]) -> dict[str, NDArray[Any]]:
    """Return the flat contents of each storage, from the part of the file after the pickles."""
    arrays = {}
    for storage in storages:
        count = int.from_bytes(data[position : position + 8], "little", signed=True)
        start, size = position + 8, count * np.dtype(storage.dtype).itemsize
        position = start + size
        if count != storage.items or count < 0 or position > len(data):
            raise WeightsCorrupt("The weights file is truncated or corrupt: a storage has not the size it declares.")
        arrays[storage.key] = np.frombuffer(data, storage.dtype, count, start)
    return arrays


def _view(tensor: _Tensor, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Return the tensor as a strided view of its storage, because a reshape would scramble channels-last tensors."""
    flat = arrays[_typed(tensor.storage, _Storage).key]
    shape, strides = _sizes(tensor.shape), _sizes(tensor.strides)
    offset = _sizes((tensor.offset,))[0]
    reach = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=False)) if 0 not in shape else 0
    # The second condition refuses a few bytes that are made to look huge with strides of zero.
    if len(shape) != len(strides) or math.prod(shape) > flat.size or offset + reach > flat.size:
        raise WeightsCorrupt("The weights file is corrupt: a tensor reaches outside its storage.")
    in_bytes = [stride * flat.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, in_bytes, writeable=False)


def _sizes(values: Any) -> tuple[int, ...]:
    sizes = tuple(_typed(value, int) for value in _typed(values, tuple))
    if any(not 0 <= size <= MAX_FILE_BYTES for size in sizes) or len(sizes) > MAX_DIMENSIONS:
        raise WeightsCorrupt("The weights file is corrupt: a tensor has an impossible size.")
    return sizes


def _typed(value: Any, kind: type[T]) -> T:
    if type(value) is not kind:
        raise WeightsCorrupt(
            f"The weights file is corrupt: a {type(value).__name__} where a {kind.__name__} should be."
        )
    return value
