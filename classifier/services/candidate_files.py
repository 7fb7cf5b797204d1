"""The files of a project's candidate, which are kept until there is another one or none.

They lie apart from those of versions, so that deleting them can never take away what a version is made of.
"""

from collections.abc import Mapping
from functools import lru_cache

from django.core.files.storage import default_storage

from classifier.models import Candidate
from classifier.services.images import read_file
from classifier.storage import store_once
from ml.training.artifacts import DETECTOR, EVALUATION, HEAD, MANIFEST, Artifact, read_artifact, read_evaluation

HELD = 8  # in memory, for suggestions


def store_files(project: int, digest: str, files: Mapping[str, bytes]) -> None:
    """Keep the files of an artifact, by name, as those of a candidate of the project with this id."""
    for name, data in files.items():
        store_once(f"{_folder(project)}/{digest}/{name}", data)


def read_files(candidate: Candidate) -> dict[str, bytes]:
    """Read the files of a candidate by name. Raise ArtifactCorrupt, OSError."""
    files: dict[str, bytes] = {}

    def read(name: str) -> bytes:
        files[name] = read_file(f"{_folder(candidate.project_id)}/{candidate.artifact_digest}/{name}")
        return files[name]

    read_artifact(candidate.artifact_digest, read)
    read_evaluation(candidate.artifact_digest, read)
    return files


def list_paths(candidate: Candidate) -> tuple[str, ...]:
    """List the paths of the files of a candidate."""
    names = [MANIFEST, HEAD, EVALUATION, *([DETECTOR] if candidate.metrics.get("has_detector") else [])]
    return tuple(f"{_folder(candidate.project_id)}/{candidate.artifact_digest}/{name}" for name in names)


def load_candidate(candidate: Candidate) -> Artifact:
    """Load the artifact of a candidate. Raise ArtifactCorrupt, OSError."""
    return _load(candidate.project_id, candidate.artifact_digest)


@lru_cache(maxsize=HELD)
def _load(project: int, digest: str) -> Artifact:
    return read_artifact(digest, lambda name: read_file(f"{_folder(project)}/{digest}/{name}"))


def delete_other_files(project: int, keep: str = "") -> None:
    """Delete the files of all candidates of a project but that of one digest."""
    try:
        digests, _ = default_storage.listdir(_folder(project))
    except FileNotFoundError:
        return
    for digest in digests:
        if digest != keep:
            _delete(f"{_folder(project)}/{digest}")


def _delete(folder: str) -> None:
    for name in default_storage.listdir(folder)[1]:
        default_storage.delete(f"{folder}/{name}")
    default_storage.delete(folder)  # a folder of a disk; a bucket has none


def _folder(project: int) -> str:
    return f"candidates/{project}"
