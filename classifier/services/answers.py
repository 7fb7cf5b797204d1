"""embeddings -> answers about a project's own pictures: from what is cached, so that nothing is decoded again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.models import Candidate, Embedding, ImageClass, ModelVersion, Sample
from classifier.selectors import live_version
from classifier.services.candidate_files import load_candidate
from classifier.services.custom_backbones import find_backbone
from classifier.services.prediction import load_cached
from classifier.services.shards import ShardLost, read_vectors
from ml.engines.embeddings import embedding_key
from ml.errors import UserError
from ml.training.artifacts import Artifact

VERSIONS = 5  # the newest, and the live one
TOP = 3


@dataclass(frozen=True)
class VersionAnswer:
    """What a version says of a picture: its classes and their probabilities, the likeliest first; empty if unknown."""

    version: ModelVersion
    is_live: bool
    classes: list[tuple[str, float]]


def ask_versions(sample: Sample) -> list[VersionAnswer]:
    """Ask the newest model versions, and the live one, about a picture."""
    live = live_version(sample.project)
    versions = list(sample.project.model_versions.order_by("-number")[:VERSIONS])
    if live is not None and live not in versions:
        versions.append(live)
    names = dict(ImageClass.objects.filter(project=sample.project_id).values_list("pk", "name"))
    rows = []
    for version in versions:
        ranked = ask_version(version, [sample.image_id]).get(sample.image_id, [])[:TOP]
        rows.append(VersionAnswer(version, version == live, [(names.get(pk, "?"), share) for pk, share in ranked]))
    return rows


def ask_version(version: ModelVersion | Candidate, image_ids: Sequence[int]) -> dict[int, list[tuple[int, float]]]:
    """Return the (class id, probability) of pictures, the likeliest first, by the image.

    Pictures without an embedding are left out; all, if the version cannot be read now.
    """
    found = load_vectors(version, image_ids)
    if not found:
        return {}
    try:
        artifact = _load(version)
    except (UserError, OSError):
        return {}
    probabilities = artifact.head.probabilities(np.stack(list(found.values())))
    classes = [pk for pk, _ in artifact.classes]
    return {pk: _rank(classes, row) for pk, row in zip(found, probabilities, strict=True)}


def _load(version: ModelVersion | Candidate) -> Artifact:
    return load_candidate(version) if isinstance(version, Candidate) else load_cached(version.artifact_digest)


def load_vectors(version: ModelVersion | Candidate, image_ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
    """Load the embeddings of pictures by a version's backbone, by the image; those that are not there are left out."""
    try:
        key = embedding_key(find_backbone(version.backbone).digest)
    except UserError:
        return {}
    rows = Embedding.objects.filter(key=key, image__in=list(image_ids))
    try:
        return dict(read_vectors([rows], "image_id"))
    except ShardLost:
        return {}


def _rank(classes: list[int], probabilities: NDArray[np.float32]) -> list[tuple[int, float]]:
    order = np.argsort(-probabilities, kind="stable")
    return [(classes[place], float(probabilities[place])) for place in order]
