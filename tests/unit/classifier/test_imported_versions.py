"""A classifier that is imported again is the version that is there, unless that can no longer answer."""

import numpy as np
import pytest
from django.contrib.auth.models import User

from classifier.jobs.kinds import IMPORT
from classifier.jobs.lifecycle import claim_job
from classifier.jobs.sending import queue_job
from classifier.models import CustomBackbone, ModelVersion
from classifier.services.datasets import load_dataset
from classifier.services.model_versions import publish_import
from ml.training.artifacts import Evaluation, pack_artifact
from ml.training.evaluation import evaluate
from ml.training.head import Head
from ml.training.pipeline import Trained
from tests.unit.classifier.test_custom_backbones import _own_folder, publish  # noqa: F401


@pytest.fixture
def network(owner: User) -> CustomBackbone:
    return publish(owner)


def evaluated(version: ModelVersion, network: CustomBackbone, rounding: float = 0.0) -> Trained:
    """Evaluate the network on the version's test pictures; another library rounds otherwise."""
    frozen = load_dataset(version.dataset_version)
    rows = [row for row in frozen.rows if row[2] == "test"]
    labels = np.array([row[1] for row in rows])
    head = Head(np.eye(3, dtype=np.float32), np.array([rounding, 0, 0], np.float32))
    probabilities = head.probabilities(np.zeros((len(rows), 3), np.float32))
    evaluation = Evaluation([row[0] for row in rows], labels, probabilities)
    digest, files = pack_artifact({"classes": frozen.classes, "backbone": network.name}, head, evaluation)
    return Trained(digest, files, evaluate(probabilities, labels, [name for _, name in frozen.classes]))


def bring_in(version: ModelVersion, network: CustomBackbone, rounding: float = 0.0) -> ModelVersion:
    job = claim_job(queue_job(IMPORT, project=version.project, by=version.project.owner).pk)
    assert job is not None
    trained = evaluated(version, network, rounding)
    return publish_import(job, version.dataset_version, network, trained, pictures={"range": "0..1"})


def test_same_file_again_is_the_same_version(trained: ModelVersion, network: CustomBackbone) -> None:
    assert bring_in(trained, network) == bring_in(trained, network)


def test_file_whose_artifact_comes_out_otherwise_is_a_version_of_its_own(
    trained: ModelVersion, network: CustomBackbone
) -> None:
    first = bring_in(trained, network)
    second = bring_in(trained, network, rounding=1e-6)
    assert second.number == first.number + 1
    assert second.artifact_digest != first.artifact_digest
    assert bring_in(trained, network, rounding=1e-6) == second
