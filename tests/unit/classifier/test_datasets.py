"""samples -> dataset version -> model version -> alias."""

import json

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from classifier.jobs import lifecycle
from classifier.models import Alias, DatasetVersion, Job, ModelVersion, Project, Sample
from classifier.selectors import live_version
from classifier.services import artifacts, model_versions, samples
from classifier.services.classes import rename_class
from classifier.services.datasets import DatasetCorrupt, freeze_dataset_version, load_dataset
from classifier.services.embeddings import EmbeddingsMissing, list_missing, load_embeddings, store_embeddings
from classifier.services.images import read_file
from ml.training.artifacts import ArtifactCorrupt
from ml.training.config import TrainConfig
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures, publish, store_fake_embeddings

FINGERPRINT = (
    "c12e23dc4ba92b40fa61506a676a6f1c378bc1dd64e778a63bd8781ef3723004"  # of all defaults, since the third “auto”
)


def freeze(project: Project) -> DatasetVersion:
    return freeze_dataset_version(project, validation_percentage=10, testing_percentage=10, by=project.owner)


def test_same_content_same_version(filled: Project) -> None:
    first = freeze(filled)
    assert freeze(filled) == first
    assert DatasetVersion.objects.count() == 1
    assert first.counts == {"training": [4, 4, 4], "validation": [1, 1, 1], "test": [1, 1, 1]}


def test_added_moved_and_deleted_pictures_make_new_versions(filled: Project) -> None:
    digests = {freeze(filled).digest}
    add_pictures(filled, {"red/new.jpg": coloured_pictures(1, seed=500)["red/0.jpg"]})
    digests.add(freeze(filled).digest)
    red, green = filled.classes.get(name="red"), filled.classes.get(name="green")
    sample = Sample.objects.filter(image_class=red).first()
    assert sample is not None
    samples.move_samples(filled, samples.pick(filled, [sample.pk]), to=green, by=None)
    digests.add(freeze(filled).digest)
    samples.delete_samples(filled, samples.pick(filled, [sample.pk]), by=None)
    digests.add(freeze(filled).digest)
    assert len(digests) == 4
    assert [version.number for version in DatasetVersion.objects.order_by("number")] == [1, 2, 3, 4]


def test_renamed_class_is_the_same_class(filled: Project) -> None:
    first = freeze(filled)
    rename_class(filled.classes.get(name="red"), "crimson", by=None)
    assert freeze(filled) == first


def test_splits_are_kept_for_ever(filled: Project) -> None:
    freeze(filled)
    before = dict(Sample.objects.values_list("pk", "split"))
    add_pictures(filled, coloured_pictures(30, seed=7000))
    freeze(filled)
    after = dict(Sample.objects.values_list("pk", "split"))
    assert {pk: after[pk] for pk in before} == before


def test_changed_file_is_noticed(filled: Project) -> None:
    version = freeze(filled)
    frozen = json.loads(read_file(version.path))
    frozen["rows"][0][2] = "test"
    default_storage.save(version.path, ContentFile(json.dumps(frozen).encode()))
    with pytest.raises(DatasetCorrupt):
        load_dataset(version)


def test_embeddings_are_shared_between_projects_and_never_missing_twice(filled: Project) -> None:
    key = store_fake_embeddings(filled)
    digests = [sample.image.sha256 for sample in filled.samples.select_related("image")]
    assert list_missing(digests, key) == []
    assert len(list_missing(digests, "another key")) == len(digests)
    matrix = load_embeddings(list(reversed(digests)), [key], 48)
    assert matrix.shape == (18, 48)
    store_fake_embeddings(filled)  # again, without harm
    with pytest.raises(EmbeddingsMissing, match="train again"):
        load_embeddings(digests, [key, "another key"], 48)


def test_embeddings_come_in_the_order_asked_for_and_key_by_key(filled: Project) -> None:
    images = [sample.image for sample in filled.samples.select_related("image")]
    for place, key in enumerate(("a", "b")):
        numbers = np.arange(len(images), dtype=np.float32)[:, np.newaxis] + 100 * place
        store_embeddings(images, np.repeat(numbers, 4, axis=1), key)
    wanted = [images[place].sha256 for place in (5, 0, 9)]
    assert load_embeddings(wanted, ["b", "a"], 4)[:, 3].tolist() == [105, 100, 109, 5, 0, 9]
    assert load_embeddings([], ["a", "b"], 4).shape == (0, 4)


def test_first_version_becomes_live_and_a_later_one_when_asked(filled: Project) -> None:
    first = publish(filled)
    assert live_version(filled) == first
    second = publish(filled, seed=1)
    assert live_version(filled) == first
    model_versions.promote(second, by=filled.owner)
    assert live_version(filled) == second
    model_versions.promote(first, by=filled.owner)
    assert live_version(filled) == first
    assert Alias.objects.count() == 1


def test_cancelled_job_publishes_no_version(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = lifecycle.claim_job

    def claim_and_cancel(pk: int) -> Job | None:
        claimed = claim(pk)
        assert claimed is not None
        lifecycle.cancel_job(claimed)
        return claimed

    monkeypatch.setattr(lifecycle, "claim_job", claim_and_cancel)
    with pytest.raises(lifecycle.LeaseLost):
        publish(filled)
    assert not ModelVersion.objects.exists()
    assert not Alias.objects.exists()


def test_fingerprint_depends_on_what_matters(filled: Project) -> None:
    version = publish(filled)
    dataset = version.dataset_version
    assert model_versions.find_version(dataset, TrainConfig(backbone="testing")) == version
    assert model_versions.find_version(dataset, TrainConfig(backbone="testing", seed=9)) is None


def test_fingerprint_of_the_defaults_stays() -> None:
    """Keep it, or a version that was trained before would be trained again."""
    dataset = DatasetVersion(digest="d" * 64)
    assert model_versions.fingerprint(dataset, TrainConfig()) == FINGERPRINT


def test_fingerprint_depends_on_augmentation_and_on_how_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = DatasetVersion(digest="d" * 64)

    def found(**augmentation: int) -> str:
        return model_versions.fingerprint(dataset, TrainConfig(backbone="testing", **augmentation))  # type: ignore[arg-type]

    all_found = [found(), found(random_crop=5), found(random_scale=5), found(random_crop=5, augmented_copies=3)]
    assert len(set(all_found)) == 4
    monkeypatch.setattr("classifier.services.model_versions.AUGMENTATION_VERSION", 2)
    assert found() == all_found[0]
    assert found(random_crop=5) != all_found[1]


def test_tampered_artifact_is_not_used(filled: Project) -> None:
    version = publish(filled)
    path = f"artifacts/{version.artifact_digest}/head.npz"
    default_storage.save(path, ContentFile(read_file(path) + b"x"))
    with pytest.raises(ArtifactCorrupt):
        artifacts.load_artifact(version.artifact_digest)
