"""Write and read the files of a model version: manifest.json and arrays, never a pickle.

The manifest contains the sha256 of each array file, and the artifact's digest is the manifest's sha256: whoever knows
the digest can trust all of it.

Reading takes no more memory than a few times the files' own sizes: only arrays with known names are read, and they must
be stored uncompressed and have the size their headers declare.
"""

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.errors import Unavailable
from ml.training.head import Head

FORMAT_VERSION = 1  # 1: the first
MANIFEST, HEAD, EVALUATION = "manifest.json", "head.npz", "evaluation.npz"


class ArtifactCorrupt(Unavailable):
    """The files do not match the digest, or have an unknown format. The message says which."""


@dataclass(frozen=True)
class Evaluation:
    """The results on the test split, picture by picture.

    Attributes:
        sha256s: the N pictures.
        labels: their class indices, int64 (N,).
        probabilities: the head's answers, float32 (N, C).
    """

    sha256s: list[str]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Artifact:
    """A model version's manifest and head, as read from its files."""

    manifest: dict[str, Any]
    head: Head

    @property
    def classes(self) -> list[tuple[int, str]]:
        """Return (class id, name when trained) in the order of the head's outputs."""
        return [(int(pk), str(name)) for pk, name in self.manifest["classes"]]


def pack_artifact(manifest: dict[str, Any], head: Head, evaluation: Evaluation) -> tuple[str, dict[str, bytes]]:
    """Return (digest, file name -> bytes). The same content always gives the same bytes."""
    files = {
        HEAD: _pack({"weights": head.weights.astype("<f4"), "bias": head.bias.astype("<f4")}),
        EVALUATION: _pack(
            {
                "sha256s": np.frombuffer(bytes.fromhex("".join(evaluation.sha256s)), np.uint8).reshape(-1, 32),
                "labels": evaluation.labels.astype("<i8"),
                "probabilities": evaluation.probabilities.astype("<f4"),
            }
        ),
    }
    listed = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    whole = {**manifest, "format_version": FORMAT_VERSION, "files": listed}
    encoded = json.dumps(whole, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False).encode()
    return hashlib.sha256(encoded).hexdigest(), {**files, MANIFEST: encoded}


def read_artifact(digest: str, read: Callable[[str], bytes]) -> Artifact:
    """Read the artifact with this digest; `read` returns a file by name.

    Raise `ArtifactCorrupt` if a file is missing, damaged, altered, or of another format version.
    """
    manifest = _read_manifest(digest, read)
    weights, bias = _read_arrays(manifest, HEAD, ("weights", "bias"), read)
    _check(weights, np.float32, 2)
    _check(bias, np.float32, 1)
    artifact = Artifact(manifest, Head(weights, bias))
    try:
        classes = len(artifact.classes)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactCorrupt(f"The manifest does not name the classes: {error}") from None
    if weights.shape[1] != classes or bias.shape[0] != classes:
        raise ArtifactCorrupt("The head does not have an output for each class.")
    return artifact


def read_evaluation(digest: str, read: Callable[[str], bytes]) -> Evaluation:
    """Read the results on the test split from the artifact with this digest.

    Raise `ArtifactCorrupt` as `read_artifact` does.
    """
    names = ("sha256s", "labels", "probabilities")
    sha256s, labels, probabilities = _read_arrays(_read_manifest(digest, read), EVALUATION, names, read)
    _check(sha256s, np.uint8, 2)
    _check(labels, np.int64, 1)
    _check(probabilities, np.float32, 2)
    in_range = ((labels >= 0) & (labels < probabilities.shape[1])).all()
    if sha256s.shape != (len(labels), 32) or len(probabilities) != len(labels) or not in_range:
        raise ArtifactCorrupt("The evaluation's arrays do not fit together.")
    return Evaluation([bytes(row).hex() for row in sha256s], labels, probabilities)


def _read_manifest(digest: str, read: Callable[[str], bytes]) -> dict[str, Any]:
    data = _read_file(MANIFEST, read)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ArtifactCorrupt("The manifest was changed after it was written.")
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArtifactCorrupt(f"The manifest is not JSON: {error}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise ArtifactCorrupt("The manifest is not that of an artifact.")
    if manifest.get("format_version") != FORMAT_VERSION:
        known = f"this program reads format {FORMAT_VERSION}"
        raise ArtifactCorrupt(f"The artifact has format {manifest.get('format_version')!r}; {known}.")
    return manifest


def _read_arrays(
    manifest: dict[str, Any], name: str, arrays: tuple[str, ...], read: Callable[[str], bytes]
) -> list[NDArray[Any]]:
    data = _read_file(name, read)
    if hashlib.sha256(data).hexdigest() != manifest["files"].get(name):
        raise ArtifactCorrupt(f"{name} was changed after it was written.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [_unpack(archive, array) for array in arrays]
    except (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise ArtifactCorrupt(f"{name} cannot be read: {error}") from None


def _unpack(archive: zipfile.ZipFile, array: str) -> NDArray[Any]:
    """Return one array. Raise `ValueError` if it is malformed, and whatever zipfile raises."""
    if archive.getinfo(f"{array}.npy").compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{array} is compressed")
    data = archive.read(f"{array}.npy")
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{array} has another format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    # Before anything is allocated: a header can claim any size.
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError(f"{array} is not what its header says")
    file.seek(0)
    return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _read_file(name: str, read: Callable[[str], bytes]) -> bytes:
    try:
        return read(name)
    except FileNotFoundError as error:  # any other OSError may pass
        raise ArtifactCorrupt(f"{name} is missing: {error}") from None


def _check(array: NDArray[Any], dtype: type[np.generic], dimensions: int) -> None:
    if array.dtype != dtype or array.ndim != dimensions or not np.isfinite(array).all():
        raise ArtifactCorrupt("An array does not hold the numbers it should.")


def _pack(arrays: dict[str, NDArray[Any]]) -> bytes:
    """Make an npz whose bytes depend on the arrays only (numpy gives each member the same fixed date)."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
