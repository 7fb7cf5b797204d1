"""Write rows straight into the site's database, for figures that need more than could be made through the site."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEATURES = 1280
SLICE = 1000


def fake_features(count: int, classes: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return float32 (count, 1280) and labels that look like a backbone's features for a task that is not trivial.

    Like averages of ReLU6 outputs, none is negative and most are near zero. The classes differ in a few directions, by
    less than the spread within a class, and three in a hundred labels are wrong, as with people's labels.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    directions = rng.standard_normal((classes, FEATURES)).astype(np.float32)
    common = rng.standard_normal((32, FEATURES)).astype(np.float32)  # directions of variation that all classes share
    features = rng.standard_normal((count, FEATURES)).astype(np.float32)
    features += 0.5 * rng.standard_normal((count, 32)).astype(np.float32) @ common
    features += 0.14 * directions[labels]
    features = np.maximum(0.45 * features + 0.1, 0)
    wrong = rng.random(count) < 0.03
    labels[wrong] = rng.integers(0, classes, wrong.sum())
    return features, labels


def write_samples(user: Any, name: str, *, count: int, classes: int, seed: int) -> str:
    """Write a project of so many samples with cached embeddings but without picture files, and return its slug."""
    from django.conf import settings

    from classifier.models import Embedding, Image, ImageMeasures, Sample
    from classifier.services.projects import create_project, get_or_create_class
    from ml.backbones.registry import DEFAULT_BACKBONE, get_backbone
    from ml.engines.embeddings import embedding_key

    project = create_project(name, by=user)
    rows = [get_or_create_class(project, f"class {number}") for number in range(classes)]
    features, labels = fake_features(count, classes, seed)
    images = [Image(sha256=os.urandom(32).hex(), format="JPEG", width=500, height=375, size=1) for _ in range(count)]
    Image.objects.bulk_create(images, SLICE)
    samples = [
        Sample(
            project=project,
            image=image,
            image_class=rows[label],
            file_name="made up",
            is_compared=True,
            created_by=user,
        )
        for image, label in zip(images, labels, strict=True)
    ]
    Sample.objects.bulk_create(samples, SLICE)
    key = embedding_key(get_backbone(DEFAULT_BACKBONE, settings.ML).digest)
    embeddings = (
        Embedding(image=image, key=key, vector=vector.astype("<f4").tobytes())
        for image, vector in zip(images, features, strict=True)
    )
    Embedding.objects.bulk_create(embeddings, SLICE)
    # As embedding leaves them; of pictures without a file there is nothing to measure later.
    measures = (
        ImageMeasures(image=image, darkest=20, lightest=240, contrast=50, sharpness=0.1, pixels=image.sha256[:16])
        for image in images
    )
    ImageMeasures.objects.bulk_create(measures, SLICE)
    return project.slug


def write_bare_samples(user: Any, name: str, *, count: int, classes: int) -> str:
    """Write a project of so many samples as an audit leaves them, without files and embeddings; return its slug."""
    from classifier.models import Image, Sample, SampleAudit
    from classifier.services.projects import create_project, get_or_create_class

    project = create_project(name, by=user)
    rows = [get_or_create_class(project, f"class {number}") for number in range(classes)]
    images = [Image(sha256=os.urandom(32).hex(), format="JPEG", width=500, height=375, size=1) for _ in range(count)]
    Image.objects.bulk_create(images, SLICE)
    splits = ["training"] * 8 + ["validation", "test"]
    samples = [
        Sample(
            project=project,
            image=image,
            image_class=rows[place % classes],
            split=splits[place // classes % 10],
            file_name=f"class {place % classes}/IMG_{place * 7919 % 10**6:06}.jpg",
            created_by=user,
        )
        for place, image in enumerate(images)
    ]
    Sample.objects.bulk_create(samples, SLICE)
    shares = np.random.default_rng(count).random((count, 3)).tolist()
    audits = [
        SampleAudit(sample=sample, project=project, confidence=sure, uncertainty=unsure, outlier_score=odd)
        for sample, (sure, unsure, odd) in zip(samples, shares, strict=True)
    ]
    SampleAudit.objects.bulk_create(audits, SLICE)
    return project.slug


def write_live_versions(user: Any, count: int) -> list[str]:
    """Write so many projects of five to ten classes, each with a live model version, and return their slugs."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    from classifier.models import Alias, DatasetVersion, ImageClass, ModelVersion, Project
    from classifier.models.alias import LIVE
    from ml.backbones.registry import DEFAULT_BACKBONE
    from ml.training.config import TrainConfig

    projects = [Project(owner=user, name=f"Of many {number}", slug=f"of-many-{number}") for number in range(count)]
    Project.objects.bulk_create(projects, SLICE)
    classes = [
        [ImageClass(project=project, name=f"class {number}") for number in range(5 + place % 6)]
        for place, project in enumerate(projects)
    ]
    ImageClass.objects.bulk_create([row for rows in classes for row in rows], SLICE)
    datasets = [
        DatasetVersion(project=project, number=1, digest=f"{project.pk:064}", classes=[], counts={})
        for project in projects
    ]
    DatasetVersion.objects.bulk_create(datasets, SLICE)
    versions = []
    for project, dataset, rows in zip(projects, datasets, classes, strict=True):
        digest, files = _pack_head(project.pk, [(row.pk, row.name) for row in rows])
        for name, data in files.items():
            default_storage.save(f"artifacts/{digest}/{name}", ContentFile(data))
        version = ModelVersion(project=project, number=1, dataset_version=dataset, backbone=DEFAULT_BACKBONE)
        version.config, version.metrics = TrainConfig().as_dict(), {}
        version.fingerprint, version.artifact_digest = f"{project.pk:064}", digest
        versions.append(version)
    ModelVersion.objects.bulk_create(versions, SLICE)
    aliases = [Alias(project=version.project, name=LIVE, model_version=version) for version in versions]
    Alias.objects.bulk_create(aliases, SLICE)
    return [project.slug for project in projects]


def _pack_head(seed: int, classes: list[tuple[int, str]]) -> tuple[str, dict[str, bytes]]:
    """Return the artifact of a training with 100 test pictures per class, which has the size of a real one."""
    from ml.training.artifacts import Evaluation, pack_artifact
    from ml.training.config import TrainConfig
    from ml.training.evaluation import evaluate
    from ml.training.head import Head, softmax

    rng = np.random.default_rng(seed)
    head = Head(rng.standard_normal((FEATURES, len(classes))).astype(np.float32), np.zeros(len(classes), np.float32))
    labels = rng.integers(0, len(classes), 100 * len(classes))
    probabilities = softmax(rng.standard_normal((len(labels), len(classes))).astype(np.float32))
    evaluation = Evaluation([os.urandom(32).hex() for _ in labels], labels, probabilities)
    manifest = {
        "backbone": {"name": "efficientnet_lite0", "features": FEATURES},
        "classes": [[pk, name] for pk, name in classes],
        "config": TrainConfig().as_dict(),
        "metrics": evaluate(probabilities, labels, [name for _, name in classes]),
    }
    return pack_artifact(manifest, head, evaluation)


def write_tested_version(user: Any, name: str, *, count: int, classes: int) -> str:
    """Write a project of so many test pictures, without files, and a version tested on them; return its slug."""
    from classifier.models import ModelVersion, Project, Sample
    from classifier.services.datasets import freeze_dataset_version
    from ml.backbones.registry import DEFAULT_BACKBONE
    from ml.training.config import TrainConfig

    slug = write_bare_samples(user, name, count=count, classes=classes)
    project = Project.objects.get(slug=slug)
    Sample.objects.filter(project=project).update(split="test", split_is_given=True)
    dataset = freeze_dataset_version(project, validation_percentage=10, testing_percentage=10, by=user)
    digest, metrics = _store_answers(dataset, seed=count)
    ModelVersion.objects.create(
        project=project,
        number=1,
        dataset_version=dataset,
        backbone=DEFAULT_BACKBONE,
        config=TrainConfig().as_dict(),
        metrics=metrics,
        fingerprint=digest,
        artifact_digest=digest,
    )
    return slug


def _store_answers(dataset: Any, *, seed: int) -> tuple[str, dict[str, Any]]:
    """Store an artifact that answers four of five test pictures of a dataset version rightly; return its digest."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    from classifier.services.datasets import load_dataset
    from ml.training.artifacts import Evaluation, pack_artifact
    from ml.training.config import TrainConfig
    from ml.training.evaluation import evaluate
    from ml.training.head import Head, softmax

    frozen, rng = load_dataset(dataset), np.random.default_rng(seed)
    labels, classes = frozen.labels("test"), len(frozen.classes)
    logits = rng.standard_normal((len(labels), classes)).astype(np.float32)
    logits[np.arange(len(labels)), labels] += 2.5
    probabilities = softmax(logits)
    metrics = evaluate(probabilities, labels, [name for _, name in frozen.classes])
    head = Head(np.zeros((FEATURES, classes), np.float32), np.zeros(classes, np.float32))
    manifest = {"classes": frozen.classes, "config": TrainConfig().as_dict(), "metrics": metrics}
    digest, files = pack_artifact(manifest, head, Evaluation(frozen.sha256s("test"), labels, probabilities))
    for name, data in files.items():
        default_storage.save(f"artifacts/{digest}/{name}", ContentFile(data))
    return digest, metrics
