"""predict: pictures in, probabilities out, without TensorFlow."""

import functools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet, Subquery

from classifier.instruments import artifact_cache, classified_pictures, observe_stage
from classifier.models import ModelVersion
from classifier.models.alias import LIVE
from classifier.parsing import parse_number
from classifier.prepared import PreparedQuery
from classifier.roles import Role
from classifier.selectors import list_projects
from classifier.services.accounts import hash_api_key, note_key_use, valid_keys
from classifier.services.artifacts import load_artifact
from classifier.services.custom_backbones import find_backbone
from classifier.services.remote import WorkerEngine
from ml.engines.conversion import ensure_tflite
from ml.engines.litert import Embedder
from ml.engines.loading import adapter_of, load_engine
from ml.errors import Conflict, UserError
from ml.images.decoding import ImageRejected
from ml.serving.batches import extract_features
from ml.serving.inference import BACKBONES_HELD, Network
from ml.training.artifacts import Artifact
from ml.training.inference import ArtifactCache, Classified, classify_features
from ml.training.rejection import Reason

HEAD_BYTES = 36 * 2**20  # of heads and exemplars kept in each web process: of some two hundred projects


@dataclass(frozen=True)
class AnsweringVersion:
    """A model version, as far as answering goes. A class renamed after training answers with its new name."""

    number: int
    backbone: str
    artifact_digest: str
    names: dict[int, str]  # of the project's classes as they are today, by id


def _select(versions: QuerySet[ModelVersion]) -> QuerySet[ModelVersion, Any]:
    """Select all that a request must ask the database, at once. The metrics alone would take longer to read."""
    return versions.values_list(
        "number", "backbone", "artifact_digest", "project__classes__id", "project__classes__name"
    )


def _visible(user: User | Subquery, slug: str) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(project__slug=slug, project__in=list_projects(user, Role.CLASSIFIER))


def _live(user: User | Subquery, slug: str) -> QuerySet[ModelVersion, Any]:
    return _select(_visible(user, slug).filter(aliases__name=LIVE))


LIVE_BY_KEY = PreparedQuery(lambda digest, slug: _live(Subquery(valid_keys(digest).values("user")), slug), str, str)

artifacts = ArtifactCache(HEAD_BYTES)
_engine_lock = threading.Lock()


class NoSuchVersion(UserError):
    """The project has no model version with that number or alias."""

    status = 404

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"This project has no version “{wanted[:60]}”. Give the number of a version, or an alias such as “live”."
        )


class NothingLive(Conflict):
    """The project has no live model version yet."""

    def __init__(self) -> None:
        super().__init__("No version of this project is live yet. Train one, or make a version live.")


@dataclass(frozen=True)
class Answer:
    """What is said of one picture.

    Attributes:
        classes: (name, probability), the likeliest first; none where it could not be read.
        error: why it could not be read, a sentence.
        reason: why it shows none of the classes, if it does not.
        likeness: to the pictures that the version was trained on, -1 to 1, if it is known.
    """

    classes: list[tuple[str, float]]
    error: str = ""
    reason: Reason = Reason.NONE
    likeness: float | None = None

    @property
    def none_of_these(self) -> bool:
        return self.reason != Reason.NONE


@dataclass(frozen=True)
class Classification:
    version: AnsweringVersion
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


def find_answering(user: User, slug: str, wanted: str = LIVE) -> AnsweringVersion | None:
    """Return the version of this project with a number or alias; None if there is none, or the user may not see it."""
    if wanted == LIVE:
        return _answering(list(_live(user, slug)))
    versions = _visible(user, slug)
    number = parse_number(wanted)
    found = versions.filter(aliases__name=wanted) if number is None else versions.filter(number=number)
    return _answering(list(_select(found)))


def find_live(project: int) -> AnsweringVersion | None:
    """Return the live version of the project with this id, for whoever was let in by other means than an account."""
    return _answering(list(_select(ModelVersion.objects.filter(aliases__name=LIVE, project=project))))


def find_live_by_key(key: str, slug: str) -> AnsweringVersion | None:
    """Return the live version of this project for the owner of an API key, in one query.

    Return None for a wrong key too.
    """
    digest = hash_api_key(key)
    found = _answering(LIVE_BY_KEY.rows(digest, slug))
    if found:
        note_key_use(digest)
    return found


def _answering(rows: list[tuple[Any, ...]]) -> AnsweringVersion | None:
    if not rows:
        return None
    number, backbone, digest, *_ = rows[0]
    return AnsweringVersion(number, backbone, digest, {row[3]: row[4] for row in rows})


def answer(version: AnsweringVersion, pictures: Sequence[bytes]) -> Classification:
    """Classify each picture; one that cannot be read gets an error of its own. Raise UserError."""
    begun = time.perf_counter()
    artifact = load_cached(version.artifact_digest)
    features = extract_features(pictures, get_engine(version.backbone), settings.IMAGE_LIMITS)
    extracted = time.perf_counter()
    found = classify_features(features, artifact)
    observe_stage("head", time.perf_counter() - extracted)
    milliseconds = (time.perf_counter() - begun) * 1000
    names = [version.names.get(pk, name) for pk, name in artifact.classes]
    for one in found:
        classified_pictures(_result(one)).inc()
    return Classification(version, [_rank(names, one) for one in found], milliseconds)


def _result(found: Classified | ImageRejected) -> str:
    """Return the word under which an answer is counted."""
    if isinstance(found, ImageRejected):
        return "unreadable"
    return "none_of_these" if found.reason else "class"


def load_cached(digest: str) -> Artifact:
    """Return an artifact, from memory if it is there. Raise `ArtifactCorrupt`."""
    missed = []

    def load() -> Artifact:
        missed.append(digest)
        return load_artifact(digest)

    found = artifacts.get(digest, load)
    artifact_cache("miss" if missed else "hit").inc()
    return found


def _rank(names: list[str], found: Classified | ImageRejected) -> Answer:
    if isinstance(found, ImageRejected):
        return Answer([], str(found))
    ranked = sorted(zip(names, found.probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
    classes = [(name, round(probability, 6)) for name, probability in ranked]
    return Answer(classes, "", found.reason, None if found.likeness is None else round(found.likeness, 4))
