"""predict: pictures in, probabilities out, in the web process and without TensorFlow."""

import functools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from classifier.models import ImageClass, ModelVersion, Project
from classifier.models.alias import LIVE
from classifier.prepared import PreparedQuery
from classifier.services.model_versions import load_artifact
from worker.artifacts import Artifact
from worker.backbones import get_backbone
from worker.backbones.convert import ensure_tflite
from worker.backbones.engine import Embedder, LiteRTEngine
from worker.images import ImageRejected
from worker.inference import ArtifactCache, SharedEngine, classify_pictures

HEAD_BYTES = 24 * 2**20  # of heads kept in each web process: a thousand of a few classes


class Answering(NamedTuple):
    """What must be known of a model version to answer with it. Its metrics take longer to read than the rest."""

    number: int
    backbone: str
    artifact_digest: str


LIVE_VERSION = PreparedQuery(
    lambda project: ModelVersion.objects.filter(aliases__project=project, aliases__name=LIVE).values_list(
        *Answering._fields
    ),
    int,
)
CLASS_NAMES = PreparedQuery(lambda project: ImageClass.objects.filter(project=project).values_list("pk", "name"), int)

artifacts = ArtifactCache(HEAD_BYTES)
_engine_lock = threading.Lock()


class NothingLive(Exception):
    """The project has no live model version yet."""


@dataclass(frozen=True)
class Answer:
    """One picture's classes, the likeliest first: (name, probability). None of them where it was refused."""

    classes: list[tuple[str, float]]
    error: str = ""


@dataclass(frozen=True)
class Classification:
    version: Answering
    answers: list[Answer]
    milliseconds: float


def get_engine(name: str) -> Embedder:
    """This process's backbone, loaded when first asked for."""
    with _engine_lock:  # two first requests must not load it twice
        return _load_engine(name)


@functools.lru_cache(maxsize=1)
def _load_engine(name: str) -> Embedder:
    path = ensure_tflite(get_backbone(name), settings.BACKBONE_DIR)
    return SharedEngine(lambda threads: LiteRTEngine(path, threads=threads), settings.PREDICT_THREADS)


def classify(project: Project, pictures: Sequence[bytes], version: ModelVersion | None = None) -> Classification:
    """Answer with the live version, or with the one given; a picture that cannot be read answers why.

    Raises NothingLive, ArtifactCorrupt.
    """
    chosen = _live_version(project) if version is None else _answering(version)
    begun = time.perf_counter()
    artifact = artifacts.get(chosen.artifact_digest, lambda: load_artifact(chosen.artifact_digest))
    answers = classify_pictures(pictures, get_engine(chosen.backbone), artifact, settings.IMAGE_LIMITS)
    milliseconds = (time.perf_counter() - begun) * 1000
    names = _current_names(project, artifact)
    return Classification(chosen, [_answer(names, answer) for answer in answers], milliseconds)


def _live_version(project: Project) -> Answering:
    for row in LIVE_VERSION.rows(project.pk):
        return Answering(*row)
    raise NothingLive("This project has no model version yet. Train it first.")


def _answering(version: ModelVersion) -> Answering:
    return Answering(version.number, version.backbone, version.artifact_digest)


def _current_names(project: Project, artifact: Artifact) -> list[str]:
    """The classes' names as they are today: a class renamed after training answers with its new name."""
    today = dict(CLASS_NAMES.rows(project.pk))
    return [today.get(pk, name) for pk, name in artifact.classes]


def _answer(names: list[str], answer: NDArray[np.float32] | ImageRejected) -> Answer:
    if isinstance(answer, ImageRejected):
        return Answer([], str(answer))
    ranked = sorted(zip(names, answer.tolist(), strict=True), key=lambda pair: -pair[1])
    return Answer([(name, round(probability, 6)) for name, probability in ranked])
