"""The files of a model version: manifest.json and arrays, never a pickle.

The manifest names the sha256 of each array file, and the artifact's digest is the manifest's sha256: whoever
knows the digest can trust the whole.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.head import Head

FORMAT_VERSION = 1  # 1: the first
MANIFEST, HEAD, EVALUATION = "manifest.json", "head.npz", "evaluation.npz"


class ArtifactCorrupt(Exception):
    """The files are not what the digest says, or not of a format we know. The message says which."""


@dataclass(frozen=True)
class Evaluation:
    """The test split, picture by picture. labels: (N,), probabilities: (N, C)."""

    sha256s: list[str]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Artifact:
    manifest: dict[str, Any]
    head: Head

    @property
    def classes(self) -> list[tuple[int, str]]:
        """(class id, name when trained), in the order of the head's outputs."""
        return [(int(pk), str(name)) for pk, name in self.manifest["classes"]]


def pack_artifact(manifest: dict[str, Any], head: Head, evaluation: Evaluation) -> tuple[str, dict[str, bytes]]:
    """(digest, file name -> bytes). The same content gives the same bytes."""
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
    whole = {"format_version": FORMAT_VERSION, **manifest, "files": listed}
    encoded = json.dumps(whole, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False).encode()
    return hashlib.sha256(encoded).hexdigest(), {**files, MANIFEST: encoded}


def read_artifact(digest: str, read: Callable[[str], bytes]) -> Artifact:
    """The artifact with this digest; `read` gives a file by name. Raises ArtifactCorrupt."""
    manifest = _read_manifest(digest, read)
    arrays = _read_arrays(manifest, HEAD, read)
    try:
        head = Head(_floats(arrays["weights"], 2), _floats(arrays["bias"], 1))
        classes = len(manifest["classes"])
    except (KeyError, TypeError) as error:
        raise ArtifactCorrupt(f"The head lacks {error}.") from None
    if head.weights.shape[1] != classes or head.bias.shape[0] != classes:
        raise ArtifactCorrupt("The head does not have an output for each class.")
    return Artifact(manifest, head)


def read_evaluation(digest: str, read: Callable[[str], bytes]) -> Evaluation:
    """The test split's answers of that artifact. Raises ArtifactCorrupt."""
    arrays = _read_arrays(_read_manifest(digest, read), EVALUATION, read)
    digests = [bytes(row).hex() for row in arrays["sha256s"]]
    return Evaluation(digests, arrays["labels"], arrays["probabilities"])


def _read_manifest(digest: str, read: Callable[[str], bytes]) -> dict[str, Any]:
    data = _read_file(MANIFEST, read)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ArtifactCorrupt("The manifest was changed after it was written.")
    manifest: dict[str, Any] = json.loads(data)
    if manifest.get("format_version") != FORMAT_VERSION:
        known = f"this program reads format {FORMAT_VERSION}"
        raise ArtifactCorrupt(f"The artifact has format {manifest.get('format_version')!r}; {known}.")
    return manifest


def _read_arrays(manifest: dict[str, Any], name: str, read: Callable[[str], bytes]) -> dict[str, NDArray[Any]]:
    data = _read_file(name, read)
    if hashlib.sha256(data).hexdigest() != manifest.get("files", {}).get(name):
        raise ArtifactCorrupt(f"{name} was changed after it was written.")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactCorrupt(f"{name} cannot be read: {error}") from None


def _read_file(name: str, read: Callable[[str], bytes]) -> bytes:
    try:
        return read(name)
    except OSError as error:
        raise ArtifactCorrupt(f"{name} is missing: {error}") from None


def _floats(array: NDArray[Any], dimensions: int) -> NDArray[np.float32]:
    if array.dtype != np.float32 or array.ndim != dimensions or not np.isfinite(array).all():
        raise ArtifactCorrupt("The head's numbers are not what a head has.")
    return array


def _pack(arrays: dict[str, NDArray[Any]]) -> bytes:
    """An npz whose bytes depend on the arrays alone (numpy gives each member the same fixed date)."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
