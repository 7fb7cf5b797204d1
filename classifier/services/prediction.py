"""predict: pictures in, probabilities out, without TensorFlow."""

import functools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet, Subquery
from numpy.typing import NDArray

from classifier.models import ModelVersion, Project
from classifier.models.alias import LIVE
from classifier.prepared import PreparedQuery
from classifier.selectors import list_projects, live_version
from classifier.services.accounts import hash_api_key, note_key_use, valid_keys
from classifier.services.custom_backbones import find_backbone
from classifier.services.model_versions import load_artifact
from classifier.services.remote import WorkerEngine
from ml.engines.conversion import ensure_tflite
from ml.engines.litert import Embedder
from ml.engines.loading import adapter_of, load_engine
from ml.errors import Conflict
from ml.images.decoding import ImageRejected
from ml.serving.batches import extract_features
from ml.serving.inference import BACKBONES_HELD, Network
from ml.training.inference import ArtifactCache, classify_features

HEAD_BYTES = 24 * 2**20  # of heads kept in each web process: a thousand of a few classes


@dataclass(frozen=True)
class LiveVersion:
    """A model version, as far as answering goes. A class renamed after training answers with its new name."""

    number: int
    backbone: str
    artifact_digest: str
    names: dict[int, str]  # of the project's classes as they are today, by id


def _live(user: User | Subquery, slug: str) -> QuerySet[ModelVersion, Any]:
    """Select all that a request must ask the database, at once. The metrics alone would take longer to read."""
    versions = ModelVersion.objects.filter(aliases__name=LIVE, project__slug=slug, project__in=list_projects(user))
    return versions.values_list(
        "number", "backbone", "artifact_digest", "project__classes__id", "project__classes__name"
    )


LIVE_BY_KEY = PreparedQuery(lambda digest, slug: _live(Subquery(valid_keys(digest).values("user")), slug), str, str)

artifacts = ArtifactCache(HEAD_BYTES)
_engine_lock = threading.Lock()


class NothingLive(Conflict):
    """The project has no live model version yet."""

    def __init__(self) -> None:
        super().__init__("No version of this project is live yet. Train one, or make a version live.")


@dataclass(frozen=True)
class Answer:
    """One picture's classes, the likeliest first: (name, probability). None of them where it was refused."""

    classes: list[tuple[str, float]]
    error: str = ""


@dataclass(frozen=True)
class Classification:
    version: LiveVersion
    answers: list[Answer]
    milliseconds: float


def get_engine(name: str) -> Network | Embedder:
    """Return what extracts the features of a backbone, made ready when it is first asked for."""
    with _engine_lock:  # two first requests must not convert it twice
        return _load_engine(name)


@functools.lru_cache(maxsize=BACKBONES_HELD)
def _load_engine(name: str) -> Network | Embedder:
    backbone, folder = find_backbone(name), settings.ML.backbones_dir
    if backbone.needs_tensorflow:
        return WorkerEngine(backbone)
    if backbone.is_trusted:
        return Network(ensure_tflite(backbone, folder), adapter_of(backbone))
    return load_engine(backbone, folder, threads=settings.PREDICT_THREADS)


def find_live(user: User, slug: str) -> LiveVersion | None:
    """Return the live version of this project; None if there is none, or the user has no such project."""
    return _answering(list(_live(user, slug)))


def find_live_by_key(key: str, slug: str) -> LiveVersion | None:
    """Do what `find_live` does for the owner of an API key, in one query; return None for a wrong key too."""
    digest = hash_api_key(key)
    found = _answering(LIVE_BY_KEY.rows(digest, slug))
    if found:
        note_key_use(digest)
    return found


def _answering(rows: list[tuple[Any, ...]]) -> LiveVersion | None:
    if not rows:
        return None
    number, backbone, digest, *_ = rows[0]
    return LiveVersion(number, backbone, digest, {row[3]: row[4] for row in rows})


def classify(project: Project, pictures: Sequence[bytes]) -> Classification:
    """Classify with the live version. Raise UserError."""
    version = live_version(project)
    if version is None:
        raise NothingLive
    names = dict(project.classes.values_list("pk", "name"))
    return answer(LiveVersion(version.number, version.backbone, version.artifact_digest, names), pictures)


def answer(version: LiveVersion, pictures: Sequence[bytes]) -> Classification:
    """Classify each picture; one that cannot be read gets an error of its own. Raise UserError."""
    begun = time.perf_counter()
    artifact = artifacts.get(version.artifact_digest, lambda: load_artifact(version.artifact_digest))
    found = classify_features(extract_features(pictures, get_engine(version.backbone), settings.IMAGE_LIMITS), artifact)
    milliseconds = (time.perf_counter() - begun) * 1000
    names = [version.names.get(pk, name) for pk, name in artifact.classes]
    return Classification(version, [_rank(names, probabilities) for probabilities in found], milliseconds)


def _rank(names: list[str], answer: NDArray[np.float32] | ImageRejected) -> Answer:
    if isinstance(answer, ImageRejected):
        return Answer([], str(answer))
    ranked = sorted(zip(names, answer.tolist(), strict=True), key=lambda pair: -pair[1])
    return Answer([(name, round(probability, 6)) for name, probability in ranked])
