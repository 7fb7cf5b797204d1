import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.backbones import pytorch_weights
from ml.backbones.pytorch_weights import MAGIC, PROTOCOL, WeightsCorrupt, read_state_dict

SYSTEM = {
    "protocol_version": PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}


def global_(module: str, name: str) -> bytes:
    return b"c" + f"{module}\n{name}\n".encode()


def dumped(value: Any) -> bytes:
    """Return the opcodes of a plain value, without the pickle's head and stop."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(shape: tuple[int, ...], strides: tuple[int, ...], items: int, offset: int = 0, key: str = "0") -> bytes:
    storage = b"(" + dumped("storage") + global_("torch", "FloatStorage") + dumped(key) + dumped("cpu")
    storage += dumped(items) + b"Nt" + b"Q"
    arguments = storage + dumped(offset) + dumped(shape) + dumped(strides) + b"\x89" + dumped({})
    return global_("torch._utils", "_rebuild_tensor_v2") + b"(" + arguments + b"tR"


def state_dict(**tensors: bytes) -> bytes:
    items = b"".join(dumped(name) + opcodes for name, opcodes in tensors.items())
    return b"\x80\x02" + global_("collections", "OrderedDict") + b")R(" + items + b"u."


def legacy(state: bytes, values: list[float], *, keys: tuple[str, ...] = ("0",), system: Any = SYSTEM) -> bytes:
    heads = b"".join(pickle.dumps(value, 2) for value in (MAGIC, PROTOCOL, system))
    tail = struct.pack(f"<q{len(values)}f", len(values), *values)
    return heads + state + pickle.dumps(list(keys), 2) + tail


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights.pth"


def test_read_contiguous(file: Path) -> None:
    state = state_dict(a=tensor((2, 3), (3, 1), 6))
    arrays = read_state_dict(write(file, legacy(state, [0, 1, 2, 3, 4, 5])))
    np.testing.assert_array_equal(arrays["a"], np.arange(6, dtype=np.float32).reshape(2, 3))


def test_read_honours_strides_and_offset(file: Path) -> None:
    # The same six numbers, saved column by column after one that belongs to nobody.
    state = state_dict(a=tensor((2, 3), (1, 2), 7, offset=1))
    arrays = read_state_dict(write(file, legacy(state, [9, 0, 3, 1, 4, 2, 5])))
    np.testing.assert_array_equal(arrays["a"], [[0, 1, 2], [3, 4, 5]])
    assert not arrays["a"].flags.writeable


def test_read_scalar_empty_and_shared_storage(file: Path) -> None:
    state = state_dict(a=tensor((), (), 2, offset=1), b=tensor((2,), (1,), 2), c=tensor((0, 4), (4, 1), 2))
    arrays = read_state_dict(write(file, legacy(state, [5, 6])))
    assert (arrays["a"].item(), arrays["b"].tolist(), arrays["c"].shape) == (6, [5, 6], (0, 4))


def test_truncated_anywhere_is_refused(file: Path) -> None:
    data = legacy(state_dict(a=tensor((2, 3), (3, 1), 6)), [0, 1, 2, 3, 4, 5])
    for length in range(len(data)):
        with pytest.raises(WeightsCorrupt):
            read_state_dict(write(file, data[:length]))


@pytest.mark.parametrize("head", [b"", b"PK\x03\x04 a zip file", b"\x00" * 100, b"\x80\x02}."])
def test_other_formats_are_refused(file: Path, head: bytes) -> None:
    with pytest.raises(WeightsCorrupt):
        read_state_dict(write(file, head))


def test_big_endian_is_refused(file: Path) -> None:
    data = legacy(state_dict(a=tensor((1,), (1,), 1)), [1], system={"little_endian": False})
    with pytest.raises(WeightsCorrupt, match="little-endian"):
        read_state_dict(write(file, data))


def test_hostile_system_call_is_not_made(file: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {file}.owned",)

    with pytest.raises(WeightsCorrupt, match=r"system"):
        read_state_dict(write(file, legacy(pickle.dumps({"a": Hostile()}, 2), [1])))
    assert not Path(f"{file}.owned").exists()


@pytest.mark.parametrize(
    "name",
    [
        ("builtins", "eval"),
        ("torch", "load"),
        ("torch._utils", "__builtins__"),
        ("collections", "namedtuple"),
    ],
)
def test_hostile_names_are_refused(file: Path, name: tuple[str, str]) -> None:
    with pytest.raises(WeightsCorrupt, match="no need of"):
        read_state_dict(write(file, legacy(b"\x80\x02" + global_(*name) + b".", [1])))


def test_hostile_attributes_change_nothing(file: Path) -> None:
    # BUILD with a (None, slots) state calls setattr on whatever is on the stack.
    target = global_("torch._utils", "_rebuild_tensor_v2") + dumped((None, {"__defaults__": (1,)})) + b"b0"
    state = state_dict(a=target + tensor((1,), (1,), 1))
    assert read_state_dict(write(file, legacy(state, [7])))["a"].tolist() == [7]
    assert read_state_dict(write(file, legacy(state_dict(a=tensor((1,), (1,), 1)), [8])))["a"].tolist() == [8]


def test_hostile_memo_is_refused_before_memory_is_taken(file: Path) -> None:
    bomb = b"\x80\x02}r" + struct.pack("<I", 0xFFFFFFF0) + b"."
    with pytest.raises(WeightsCorrupt, match="too much memory"):
        read_state_dict(write(file, legacy(bomb, [1])))


def test_hostile_opcodes_are_refused(file: Path) -> None:
    for protocol in (4, 5):
        with pytest.raises(WeightsCorrupt, match="not a plain state dict"):
            read_state_dict(write(file, legacy(pickle.dumps(OrderedDict(a=1), protocol), [1])))


@pytest.mark.parametrize(
    "hostile",
    [
        tensor((3,), (1,), 2),  # longer than its storage
        tensor((2,), (2,), 2),  # strides past its end
        tensor((2,), (1,), 2, offset=1),
        tensor((2,), (1,), 2, offset=-1),
        tensor((2,), (-1,), 2, offset=1),
        tensor((1 << 20, 1 << 20), (0, 0), 2),  # two items that claim to be a terabyte
        tensor((2,), (1, 1), 2),  # a stride too many
        tensor((1,) * 70, (1,) * 70, 2),  # more dimensions than NumPy has
        tensor((2,), (1,), 3),  # a storage of another size than the file's
        tensor((2,), (1,), -1),
        tensor((2,), (1,), 2, key="1"),  # a storage that is not in the file
        dumped("no tensor"),
    ],
)
def test_hostile_tensors_are_refused(file: Path, hostile: bytes) -> None:
    with pytest.raises(WeightsCorrupt):
        read_state_dict(write(file, legacy(state_dict(a=hostile), [1, 2])))


def test_file_too_large_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch_weights, "MAX_FILE_BYTES", 10)
    with pytest.raises(WeightsCorrupt, match="larger than"):
        read_state_dict(write(file, b"\x00" * 11))
