"""The files that rows of versions and backbones name, with what their content has to be."""

from collections.abc import Iterator
from typing import NamedTuple

from classifier.models import CustomBackbone, ModelVersion
from classifier.models.custom_backbone import backbone_file_path
from classifier.services.artifacts import artifact_path, load_artifact
from ml.backbones.spec import parse_spec
from ml.training.artifacts import MANIFEST


class NamedFile(NamedTuple):
    """A file that a row names: its path in the storage, its sha256 if that is known, and what it belongs to."""

    path: str
    sha256: str
    about: str


def list_artifact(version: ModelVersion) -> Iterator[NamedFile]:
    """List the files of a version's artifact. Raise ArtifactCorrupt."""
    digest = version.artifact_digest
    files = {MANIFEST: digest, **load_artifact(digest).manifest["files"]}
    return (NamedFile(artifact_path(digest, name), sha256, str(version)) for name, sha256 in files.items())


def list_network(custom: CustomBackbone) -> Iterator[NamedFile]:
    """List the files of a custom backbone."""
    spec = parse_spec(custom.spec["text"])
    for file in custom.spec["files"]:
        yield NamedFile(backbone_file_path(custom.name, file), spec.sha256 if file == spec.file else "", str(custom))
