"""An owner, a stranger, and a project with a trained version, made through the services."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from redis.exceptions import ConnectionError as RedisConnectionError

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import TRAIN, JobKind
from classifier.models import Export, Job, ModelVersion, Project, Upload
from classifier.selectors import class_names
from classifier.services import counting, datasets, embeddings, event_files, exports, model_versions, uploads
from classifier.services.outcomes import Outcome
from classifier.services.projects import create_project
from ml.backbones.registry import get_backbone
from ml.datasets.archives import ArchiveEntry
from ml.engines.embeddings import embedding_key
from ml.training.artifacts import Evaluation, pack_artifact
from ml.training.config import TrainConfig
from ml.training.evaluation import evaluate
from ml.training.head import Head
from ml.training.pipeline import Trained
from poetsweb.folders import ML
from tests.datasets import coloured_pictures

PASSWORD = "correct-horse-9"
CERTIFICATE = {
    "n": 3,
    "agreement": 1.0,
    "none_of_these_agreement": 1.0,
    "mean_difference": 1e-7,
    "largest_difference": 1e-6,
    "accuracy": 1.0,
    "site_accuracy": 1.0,
    "milliseconds": 1.5,
    "passed": True,
    "reasons": [],
}


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave jobs in their rows: the broker is tested in tests/integration."""
    monkeypatch.setattr(sending, "_send", lambda sent: None)


@pytest.fixture(autouse=True)
def _empty_cache(settings: Any) -> None:
    """Use a cache in this process where there is no Redis for tests."""
    if not settings.REDIS_URL:
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()


@pytest.fixture
def _cache_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nobody answer where the counts of all processes are."""

    class Away:
        def __getattr__(self, name: str) -> Any:
            raise RedisConnectionError("away")

    monkeypatch.setattr(counting, "cache", Away())
    yield
    counting._own.clear()


@pytest.fixture(autouse=True)
def _one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the connection, which a task closes when it is old: the test's transaction lives on it."""
    monkeypatch.setattr("worker.run.close_old_connections", lambda: None)


@pytest.fixture(autouse=True)
def _rare_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the thread that looks after a job read rarely: in a database in memory a reader locks writers out."""
    monkeypatch.setattr("worker.run.LOOK_SECONDS", 2.0)


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("owner", password=PASSWORD)


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("stranger", password=PASSWORD)


@pytest.fixture
def as_owner(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def as_stranger(stranger: User) -> Client:
    client = Client()
    client.force_login(stranger)
    return client


@pytest.fixture
def project(owner: User) -> Project:
    return create_project("Colours", by=owner, slug="colours")


@pytest.fixture
def filled(project: Project) -> Project:
    """Fill the project with three classes of six pictures."""
    add_pictures(project, coloured_pictures(6))
    return project


def add_pictures(project: Project, files: dict[str, bytes]) -> list[Any]:
    return upload_pictures(project, [(name, name.split("/")[-2], data) for name, data in files.items()])[1]


def upload_pictures(project: Project, pictures: list[tuple[str, str, bytes]]) -> tuple[Upload, list[Outcome]]:
    """Take in (file name, class name, bytes) as an upload; one outcome each."""
    entries = [ArchiveEntry(name, label, data, None) for name, label, data in pictures]
    return uploads.upload_files(project, "test", entries, by=project.owner)


@pytest.fixture
def trained(filled: Project) -> ModelVersion:
    """Publish a version whose head always predicts its first class: quick, and not flattering."""
    return publish(filled)


def claim_new(project: Project, kind: JobKind = TRAIN, **config: Any) -> Job:
    """Queue a job of the owner, and claim it."""
    job = lifecycle.claim_job(sending.queue_job(kind, project=project, by=project.owner, config=config).pk)
    assert job is not None
    return job


def publish(project: Project, **config: Any) -> ModelVersion:
    settings = TrainConfig(backbone="testing", **config)
    claimed = claim_new(project, **settings.as_dict())
    store_fake_event_files(claimed)
    version = datasets.freeze_dataset_version(
        project, validation_percentage=10, testing_percentage=10, by=project.owner
    )
    frozen = datasets.load_dataset(version)
    test = [row for row in frozen.rows if row[2] == "test"]
    classes = len(frozen.classes)
    bias = np.zeros(classes, np.float32)
    bias[0] = 1 + settings.seed
    head = Head(np.zeros((get_backbone("testing", ML).features, classes), np.float32), bias)
    probabilities = head.probabilities(np.zeros((len(test), get_backbone("testing", ML).features), np.float32))
    labels = np.array([row[1] for row in test])
    metrics = evaluate(probabilities, labels, [name for _, name in frozen.classes])
    evaluation = Evaluation([row[0] for row in test], labels, probabilities)
    digest, files = pack_artifact({"classes": frozen.classes, "seed": settings.seed}, head, evaluation)
    return model_versions.publish_model_version(
        claimed, version, settings, Trained(digest, files, metrics), measured={}
    )


def store_fake_event_files(job: Job) -> None:
    """Store event files of a training that wrote one file, as the holder of its lease."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "train").mkdir()
        Path(folder, "train", "events").write_bytes(b"accuracy")
        event_files.store_event_files(job, Path(folder))


def store_fake_embeddings(project: Project) -> str:
    """Store embeddings of the project's pictures, all ones; return their key."""
    backbone = get_backbone("testing", ML)
    key = embedding_key(backbone.digest)
    images = [sample.image for sample in project.samples.select_related("image")]
    embeddings.store_embeddings(images, np.ones((len(images), backbone.features), np.float32), key)
    return key


def store_export(version: ModelVersion, folder: Path, format: str = "tflite") -> Job:
    """Store an export of one small file; return its job."""
    job = exports.request_export(version, format, by=version.project.owner)
    claimed = lifecycle.claim_job(job.pk)
    assert claimed is not None
    files = folder / f"files-to-export-{version.number}-{format}"
    files.mkdir(exist_ok=True)
    (files / "README.md").write_text("Read me.")
    if format == "tf_hub":
        (files / "model" / "variables").mkdir(parents=True)
        (files / "model" / "saved_model.pb").write_bytes(b"graph")
        (files / "model" / "variables" / "variables.index").write_bytes(b"index")
    export = Export.objects.get(job=job)
    exports.publish_export(claimed, export, files, CERTIFICATE, labels=class_names(version))
    return job


def remove_late(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Let the row that a service is given be gone by the time it begins, as if somebody else had removed it."""
    service = getattr(module, name)

    def begin(row: Any, *rest: Any, **named: Any) -> Any:
        type(row).objects.filter(pk=row.pk).delete()
        return service(row, *rest, **named)

    monkeypatch.setattr(module, name, begin)
