"""Files of many embeddings under one key: the key, a column of pictures, then one of their features.

All are arrays as `numpy.save` writes them, one after the other: the key in UTF-8, uint8 (K,); the sha256s of the
pictures in ascending order, uint8 (N, 32); and their features, float32 (N, F). So `numpy.load` on an open file, called
three times, reads one.
"""

import io
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_FEATURES = np.dtype("<f4")
_FEW = 8  # one in so many of the pictures are read one by one, more with the whole file


def pack_shard(key: str, vectors: dict[str, Floats]) -> bytes:
    """Return the bytes of a file of these features, (F,) by the sha256 of the picture."""
    sha256s = sorted(vectors)
    digests = np.frombuffer(bytes.fromhex("".join(sha256s)), np.uint8).reshape(-1, 32)
    features = np.stack([vectors[sha256] for sha256 in sha256s]).astype(_FEATURES)
    buffer = io.BytesIO()
    for column in (np.frombuffer(key.encode(), np.uint8), digests, features):
        np.save(buffer, column, allow_pickle=False)
    return buffer.getvalue()


def read_shard(file: IO[bytes], key: str, sha256s: Iterable[str]) -> dict[str, Floats]:
    """Return the features of those of these pictures that are in the file.

    Raise ValueError if it is damaged, or has another key.
    """
    if _load(file).tobytes() != key.encode():
        raise ValueError("A shard has another key.")
    digests = _load(file)
    if digests.dtype != np.uint8 or digests.ndim != 2 or digests.shape[1] != 32:
        raise ValueError("A shard does not have the sha256s of its pictures.")
    places = {row.tobytes().hex(): place for place, row in enumerate(digests)}
    wanted = {sha256: places[sha256] for sha256 in sha256s if sha256 in places}
    rows = _read_rows(file, list(wanted.values()), len(digests))
    return dict(zip(wanted, rows, strict=True))


def _load(file: IO[bytes]) -> NDArray[Any]:
    try:
        return np.asarray(np.load(file, allow_pickle=False))
    except EOFError as error:
        raise ValueError(str(error)) from None


def _read_rows(file: IO[bytes], places: list[int], count: int) -> Floats:
    npy.read_magic(file)
    shape, by_columns, dtype = npy.read_array_header_1_0(file)
    if dtype != _FEATURES or by_columns or len(shape) != 2 or shape[0] != count:
        raise ValueError("A shard does not have the features of each of its pictures.")
    width, begin = shape[1] * dtype.itemsize, file.tell()
    if len(places) * _FEW > count:
        data = file.read(count * width)
        return np.frombuffer(data, dtype).reshape(shape)[places]
    pieces = []
    for place in places:
        file.seek(begin + place * width)
        pieces.append(file.read(width))
    return np.frombuffer(b"".join(pieces), dtype).reshape(len(places), shape[1])
