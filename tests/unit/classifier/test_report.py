"""The report of a version: what it says, and what it says where little is known."""

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import EvaluationSummary, ModelVersion
from classifier.services import datasets, evaluations


def report(client: Client, version: ModelVersion) -> str:
    page = client.get(reverse("version_report", args=[version.project.slug, version.number]))
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def test_report_says_all_on_one_page(trained: ModelVersion, as_owner: Client) -> None:
    ModelVersion.objects.update(note="For the school garden.")
    trained.project.classes.filter(name="red").update(description="Ripe ones")
    page = report(as_owner, trained)
    assert "For the school garden." in page
    assert "Ripe ones" in page
    assert '<p class="big">33.3 %</p>' in page
    assert page.count('width="44"') == 3 * 4  # four pictures of each class
    assert "Expected calibration error" in page
    assert trained.artifact_digest in page
    assert trained.dataset_version.digest[:12] in page
    assert "True \\ taken for" in page


def test_limits_are_those_of_the_facts(trained: ModelVersion, as_owner: Client) -> None:
    page = report(as_owner, trained)
    assert "It was tested on few pictures" in page
    assert "Fewer than 5 test pictures, so next to nothing is known: “blue”, “green”, “red”." in page
    labels = np.repeat([0, 1, 2], 9)
    probabilities = np.tile(np.array([0.6, 0.3, 0.1], np.float32), (27, 1))
    computed = evaluations.compute(labels, probabilities, [str(place) for place in range(27)])
    EvaluationSummary.objects.filter(model_version=trained).update(**computed)
    page = report(as_owner, trained)
    assert "next to nothing is known" not in page
    assert "It finds less than half of the pictures of: “green”, “red”." in page


def test_of_many_classes_the_weakest_are_shown(
    trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version finds “blue” only, so that this is the strongest class."""
    monkeypatch.setattr("classifier.views.report.MOST_CLASSES", 2)
    page = report(as_owner, trained)
    assert "The 2 weakest of 3 classes are shown." in page
    assert '<th scope="row">blue</th> <td class="number">' not in page
    assert '<th scope="row">green</th> <td class="number">' in page


def test_report_without_test_pictures_says_so(trained: ModelVersion, as_owner: Client) -> None:
    evaluations.evaluate_version(trained)
    empty = evaluations.compute(np.empty(0, np.int64), np.empty((0, 3), np.float32), [])
    EvaluationSummary.objects.update(**empty)
    page = report(as_owner, trained)
    assert "It has not been tested" in page
    assert 'class="big"' not in page


def test_pictures_that_are_gone_are_left_out(trained: ModelVersion, as_owner: Client) -> None:
    trained.project.samples.filter(image_class__name="red").delete()
    assert report(as_owner, trained).count('width="44"') == 2 * 4


def test_damaged_files_are_told_of(trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: ModelVersion) -> None:
        raise datasets.DatasetCorrupt("The file was changed.")

    monkeypatch.setattr("classifier.views.report.evaluate_version", fail)
    assert "The file was changed." in report(as_owner, trained)
