"""The files of model versions, read and checked."""

from classifier.services.images import read_file
from ml.training.artifacts import Artifact, Evaluation, read_artifact, read_evaluation


def load_artifact(digest: str) -> Artifact:
    """Load an artifact. Raise ArtifactCorrupt."""
    return read_artifact(digest, lambda name: read_file(f"artifacts/{digest}/{name}"))


def load_evaluation(digest: str) -> Evaluation:
    """Load the evaluation of an artifact. Raise ArtifactCorrupt."""
    return read_evaluation(digest, lambda name: read_file(f"artifacts/{digest}/{name}"))
