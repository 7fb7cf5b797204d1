"""Files of embeddings give each picture its own features back, and nothing of a damaged file."""

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.engines.shards import Floats, pack_shard, read_shard


def some(count: int, features: int = 6) -> dict[str, Floats]:
    rng = np.random.default_rng(count)
    return {
        hashlib.sha256(bytes([number])).hexdigest(): rng.standard_normal(features).astype(np.float32)
        for number in range(count)
    }


@given(st.integers(1, 40), st.data())
def test_any_of_the_pictures_are_read(count: int, data: st.DataObject) -> None:
    vectors = some(count)
    wanted = data.draw(st.lists(st.sampled_from(sorted(vectors)), unique=True))
    found = read_shard(io.BytesIO(pack_shard("key", vectors)), "key", [*wanted, "ff" * 32])
    assert found.keys() == set(wanted)
    assert all((found[sha256] == vectors[sha256]).all() for sha256 in wanted)


def test_numpy_alone_reads_it() -> None:
    vectors = some(3)
    file = io.BytesIO(pack_shard("key", vectors))
    key, digests, features = np.load(file), np.load(file), np.load(file)
    assert bytes(key) == b"key"
    assert [bytes(row).hex() for row in digests] == sorted(vectors)
    assert (features == np.stack([vectors[sha256] for sha256 in sorted(vectors)])).all()


def test_the_same_pictures_are_the_same_file() -> None:
    vectors = some(9)
    assert pack_shard("key", vectors) == pack_shard("key", dict(reversed(vectors.items())))


def test_other_key_is_another_file_and_is_not_read() -> None:
    vectors = some(3)
    assert pack_shard("key", vectors) != pack_shard("other", vectors)
    with pytest.raises(ValueError, match="another key"):
        read_shard(io.BytesIO(pack_shard("other", vectors)), "key", vectors)


@pytest.mark.parametrize("wanted", [1, 30])
@pytest.mark.parametrize("kept", [0, 5, 200, 1000, -1])
def test_file_that_was_cut_is_refused(kept: int, wanted: int) -> None:
    vectors = some(30)
    last = sorted(vectors)[-wanted:]
    with pytest.raises(ValueError, match=r"."):
        read_shard(io.BytesIO(pack_shard("key", vectors)[:kept]), "key", last)


@pytest.mark.parametrize(
    "columns",
    [
        (np.zeros((2, 32), np.int8), np.zeros((2, 6), np.float32)),
        (np.zeros((2, 31), np.uint8), np.zeros((2, 6), np.float32)),
        (np.zeros((2, 32), np.uint8), np.zeros((3, 6), np.float32)),
        (np.zeros((2, 32), np.uint8), np.zeros((2, 6), np.float64)),
        (np.zeros((2, 32), np.uint8), np.zeros((2, 6), np.float32, order="F")),
        (np.array(["code"], object), np.zeros((2, 6), np.float32)),
    ],
)
def test_other_arrays_are_refused(columns: tuple[np.ndarray, np.ndarray]) -> None:
    file = io.BytesIO()
    for column in (np.frombuffer(b"key", np.uint8), *columns):
        np.save(file, column)
    file.seek(0)
    with pytest.raises(ValueError, match=r"."):
        read_shard(file, "key", ["00" * 32])
