"""The files of model versions, read and checked."""

from django.core.files.storage import default_storage

from classifier.services.images import read_file
from ml.training.artifacts import Artifact, Evaluation, read_artifact, read_evaluation


def load_artifact(digest: str) -> Artifact:
    """Load an artifact. Raise ArtifactCorrupt."""
    return read_artifact(digest, lambda name: read_file(artifact_path(digest, name)))


def load_evaluation(digest: str) -> Evaluation:
    """Load the evaluation of an artifact. Raise ArtifactCorrupt."""
    return read_evaluation(digest, lambda name: read_file(artifact_path(digest, name)))


def artifact_path(digest: str, name: str = "") -> str:
    """Return where a file of an artifact is in the default storage, or their folder."""
    return f"artifacts/{digest}/{name}".rstrip("/")


def list_artifact_paths(digest: str) -> list[str]:
    """List the files that are there of an artifact."""
    try:
        _, files = default_storage.listdir(artifact_path(digest))
    except FileNotFoundError:
        return []
    return [artifact_path(digest, name) for name in files]
