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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.errors import Unavailable
from ml.training.head import Head
from ml.training.out_of_distribution import Detector
from ml.training.rejection import NOTHING_REFUSED, Rejection

# 1: the first; 2: may have a detector and thresholds, and the likeness of the test pictures
FORMAT_VERSION, READABLE = 2, (1, 2)
LARGEST_THRESHOLD = 10.0  # of probabilities and cosines; there is room for “never”
MANIFEST, HEAD, EVALUATION, DETECTOR = "manifest.json", "head.npz", "evaluation.npz", "detector.npz"
ARRAYS = {
    HEAD: ("weights", "bias"),
    EVALUATION: ("sha256s", "labels", "probabilities", "likeness"),
    DETECTOR: ("exemplars", "steps"),
}


class ArtifactCorrupt(Unavailable):
    """The files do not match the digest, or have an unknown format. The message says which."""


@dataclass(frozen=True)
class Evaluation:
    """The results on the test split, picture by picture.

    Attributes:
        sha256s: the N pictures.
        labels: their class indices, int64 (N,).
        probabilities: the head's answers, float32 (N, C).
        likeness: to the training pictures, float32 (N,), see `ml.training.out_of_distribution`; None if unknown.
    """

    sha256s: list[str]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    likeness: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Artifact:
    """A model version's manifest, head, and what it refuses, as read from its files."""

    manifest: dict[str, Any]
    head: Head
    rejection: Rejection = NOTHING_REFUSED

    @property
    def classes(self) -> list[tuple[int, str]]:
        """Return (class id, name when trained) in the order of the head's outputs."""
        return [(int(pk), str(name)) for pk, name in self.manifest["classes"]]


def pack_artifact(
    manifest: dict[str, Any], head: Head, evaluation: Evaluation, rejection: Rejection = NOTHING_REFUSED
) -> tuple[str, dict[str, bytes]]:
    """Return (digest, file name -> bytes). The same content always gives the same bytes."""
    arrays = {HEAD: {"weights": head.weights, "bias": head.bias}, EVALUATION: _arrays_of_evaluation(evaluation)}
    if rejection.detector is not None:
        arrays[DETECTOR] = {"exemplars": rejection.detector.exemplars, "steps": rejection.detector.steps}
    files = {name: _pack(one) for name, one in arrays.items()}
    listed = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    said = {"none_of_these": describe_rejection(rejection), "format_version": FORMAT_VERSION, "files": listed}
    return _seal(manifest | said, files)


def _seal(manifest: dict[str, Any], files: dict[str, bytes]) -> tuple[str, dict[str, bytes]]:
    encoded = json.dumps(manifest, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False).encode()
    return hashlib.sha256(encoded).hexdigest(), {**files, MANIFEST: encoded}


def renumber_classes(
    digest: str, read: Callable[[str], bytes], ids: Mapping[int, int], dataset_digest: str
) -> tuple[str, dict[str, bytes]]:
    """Return the artifact with this digest as a training with other ids of the same classes would have packed it.

    It answers with the same numbers. `ids` are the new ids by the old ones, and `dataset_digest` is that of the dataset
    version with the new ones. Raise `ArtifactCorrupt`, `KeyError` for a class that has no new id.
    """
    artifact, manifest = read_artifact(digest, read), _read_manifest(digest, read)
    if not set(manifest["files"]) <= set(ARRAYS):
        raise ArtifactCorrupt("The manifest names files that no artifact has.")
    renumbered: dict[str, Any] = {"classes": [[ids[pk], name] for pk, name in artifact.classes]}
    if "dataset_digest" in manifest:
        renumbered["dataset_digest"] = dataset_digest
    read_evaluation(digest, read)
    try:
        return _seal(manifest | renumbered, {name: _read_file(name, read) for name in manifest["files"]})
    except ValueError as error:
        raise ArtifactCorrupt(f"The manifest holds what is no number: {error}") from None


def describe_rejection(rejection: Rejection) -> dict[str, Any]:
    """Return the thresholds of a rejection as plain data; the classes as indices."""
    least, detector = rejection.least_probabilities, rejection.detector
    return {
        "least_likeness": None if detector is None else round(detector.least_likeness, 6),
        "least_probabilities": None if least is None else [round(float(one), 6) for one in least],
        "other_classes": list(rejection.others),
    }


def parse_rejection(said: dict[str, Any], detector: Detector | None) -> Rejection:
    """Return the rejection with the thresholds that `describe_rejection` described. Raise ValueError, TypeError."""
    least, others = said.get("least_probabilities"), tuple(said.get("other_classes", ()))
    if not all(type(one) is int and one >= 0 for one in others):
        raise ValueError(f"{others!r:.60} are no classes")
    if least is not None:
        least = np.array([_threshold(one) for one in least], np.float32)
    return Rejection(detector, least, others)


def _threshold(said: Any) -> float:
    """Return a threshold. JSON as Python reads it may hold NaN, which would refuse nothing, and numbers of any size."""
    if type(said) not in (int, float) or not -LARGEST_THRESHOLD <= said <= LARGEST_THRESHOLD:
        raise ValueError(f"{said!r:.60} is no threshold")
    return float(said)


def _arrays_of_evaluation(evaluation: Evaluation) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "sha256s": np.frombuffer(bytes.fromhex("".join(evaluation.sha256s)), np.uint8).reshape(-1, 32),
        "labels": evaluation.labels.astype("<i8"),
        "probabilities": evaluation.probabilities.astype("<f4"),
    }
    return arrays if evaluation.likeness is None else {**arrays, "likeness": evaluation.likeness}


def read_artifact(digest: str, read: Callable[[str], bytes]) -> Artifact:
    """Read the artifact with this digest; `read` returns a file by name.

    Raise `ArtifactCorrupt` if a file is missing, damaged, altered, or of another format version.
    """
    manifest = _read_manifest(digest, read)
    arrays = _read_arrays(manifest, HEAD, read)
    weights, bias = _take(arrays, "weights", np.float32, 2), _take(arrays, "bias", np.float32, 1)
    artifact = Artifact(manifest, Head(weights, bias))
    try:
        classes = len(artifact.classes)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactCorrupt(f"The manifest does not name the classes: {error}") from None
    if not classes or weights.shape[1] != classes or bias.shape[0] != classes:
        raise ArtifactCorrupt("The head does not have an output for each class.")
    return replace(artifact, rejection=_read_rejection(manifest, weights.shape, read))


def _read_rejection(manifest: dict[str, Any], shape: tuple[int, ...], read: Callable[[str], bytes]) -> Rejection:
    """Read what is refused by a head with weights of this shape, (F, C)."""
    said, detector = manifest.get("none_of_these", {}), None
    try:
        if DETECTOR in manifest["files"]:
            arrays = _read_arrays(manifest, DETECTOR, read)
            exemplars, steps = _take(arrays, "exemplars", np.int8, 2), _take(arrays, "steps", np.float32, 1)
            detector = Detector(exemplars, steps, _threshold(said["least_likeness"]))
        rejection = parse_rejection(said, detector)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactCorrupt(f"The manifest does not say what is refused: {error}") from None
    if detector is not None and (
        detector.exemplars.shape != (len(detector.steps), shape[0]) or not len(detector.steps)
    ):
        raise ArtifactCorrupt("The detector does not fit the head.")
    if rejection.least_probabilities is not None and rejection.least_probabilities.shape != shape[1:]:
        raise ArtifactCorrupt("The manifest does not have a threshold for each class.")
    if any(place >= shape[1] for place in rejection.others):
        raise ArtifactCorrupt("The manifest names other classes that there are not.")
    return rejection


def read_evaluation(digest: str, read: Callable[[str], bytes]) -> Evaluation:
    """Read the results on the test split from the artifact with this digest.

    Raise `ArtifactCorrupt` as `read_artifact` does.
    """
    arrays = _read_arrays(_read_manifest(digest, read), EVALUATION, read)
    sha256s, labels = _take(arrays, "sha256s", np.uint8, 2), _take(arrays, "labels", np.int64, 1)
    probabilities = _take(arrays, "probabilities", np.float32, 2)
    likeness = _take(arrays, "likeness", np.float32, 1) if "likeness" in arrays else None
    in_range = ((labels >= 0) & (labels < probabilities.shape[1])).all()
    fits = sha256s.shape == (len(labels), 32) and len(probabilities) == len(labels) and in_range
    if not fits or (likeness is not None and len(likeness) != len(labels)):
        raise ArtifactCorrupt("The evaluation's arrays do not fit together.")
    return Evaluation([bytes(row).hex() for row in sha256s], labels, probabilities, likeness)


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
    if manifest.get("format_version") not in READABLE:
        known = f"this program reads formats {' and '.join(map(str, READABLE))}"
        raise ArtifactCorrupt(f"The artifact has format {manifest.get('format_version')!r}; {known}.")
    return manifest


def _read_arrays(manifest: dict[str, Any], name: str, read: Callable[[str], bytes]) -> dict[str, NDArray[Any]]:
    data = _read_file(name, read)
    if hashlib.sha256(data).hexdigest() != manifest["files"].get(name):
        raise ArtifactCorrupt(f"{name} was changed after it was written.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            held = set(archive.namelist())
            return {array: _unpack(archive, array) for array in ARRAYS[name] if f"{array}.npy" in held}
    except (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise ArtifactCorrupt(f"{name} cannot be read: {error}") from None


def _take(arrays: dict[str, NDArray[Any]], name: str, dtype: type[np.generic], dimensions: int) -> NDArray[Any]:
    """Return one of the arrays, if it holds the numbers that it should."""
    if name not in arrays:
        raise ArtifactCorrupt(f"The array {name} is missing.")
    array = arrays[name]
    if array.dtype != dtype or array.ndim != dimensions or not np.isfinite(array).all():
        raise ArtifactCorrupt(f"The array {name} does not hold the numbers it should.")
    return array


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


def _pack(arrays: dict[str, NDArray[Any]]) -> bytes:
    """Make an npz whose bytes depend on the arrays only (numpy gives each member the same fixed date)."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
