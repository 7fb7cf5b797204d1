"""What a version's page advises: from facts, each with where to act on it."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import Audit, Finding, ImageClass, ModelVersion, Project
from classifier.services.advice import give_advice

pytestmark = pytest.mark.django_db


def kinds(version: ModelVersion) -> list[str]:
    return [advice.kind for advice in give_advice(version)]


def measured(version: ModelVersion, confusion: list[list[int]], **more: Any) -> ModelVersion:
    """Change the version's figures as if its test had come out so, with enough pictures to tell."""
    sizes = [sum(row) for row in confusion]
    right = sum(row[place] for place, row in enumerate(confusion))
    per_class = [
        {"name": name, "n": size, "precision": None, "recall": confusion[place][place] / size}
        for place, ((_, name), size) in enumerate(zip(version.dataset_version.classes, sizes, strict=True))
    ]
    accuracy = {"test_accuracy": right / sum(sizes), "test_n": sum(sizes), "test_groups": sum(sizes)}
    version.metrics = {**version.metrics, **accuracy, "per_class": per_class, "confusion": confusion, **more}
    version.dataset_version.counts = {"training": [more.get("each", 100)] * 3, "validation": [9] * 3, "test": sizes}
    return version


def test_nothing_to_do_is_no_advice(trained: ModelVersion, as_owner: Client) -> None:
    version = measured(trained, [[50, 0, 0], [0, 50, 0], [0, 0, 50]], has_detector=True)
    assert give_advice(version) == []


def test_class_with_few_pictures_or_mistakes_needs_more(trained: ModelVersion) -> None:
    version = measured(trained, [[50, 0, 0], [0, 50, 0], [15, 0, 35]], has_detector=True)
    (first, *_) = give_advice(version)
    name = version.dataset_version.classes[2][1]
    assert (first.kind, first.sentence) == ("few_pictures", f"Add pictures of {name}.")
    assert "70 % of its test pictures" in first.evidence
    few = measured(trained, [[50, 0, 0], [0, 50, 0], [0, 1, 49]], has_detector=True, each=7)
    assert kinds(few) == ["few_pictures"] * 3
    right = measured(trained, [[50, 0, 0], [0, 50, 0], [0, 0, 50]], has_detector=True, each=7)
    assert kinds(right) == []


def test_confused_pair_leads_to_its_pictures(trained: ModelVersion, as_owner: Client) -> None:
    version = measured(trained, [[49, 1, 0], [0, 50, 0], [0, 4, 46]], has_detector=True)
    (advice,) = [one for one in give_advice(version) if one.kind == "confused"]
    classes = version.dataset_version.classes
    assert classes[1][1] in advice.sentence
    assert classes[2][1] in advice.sentence
    assert advice.evidence.startswith("4 test pictures")
    assert f"true={classes[2][0]}&predicted={classes[1][0]}" in advice.address
    assert as_owner.get(advice.address).status_code == 200


def test_fine_tuning_is_offered_where_there_is_something_to_learn_from(trained: ModelVersion) -> None:
    weak = [[45, 5, 0], [0, 50, 0], [0, 0, 50]]
    assert "fine_tuning" in kinds(measured(trained, weak, has_detector=True, each=200))
    assert "fine_tuning" not in kinds(measured(trained, weak, has_detector=True, each=20))
    tuned = measured(trained, weak, has_detector=True, each=200)
    tuned.config = {**tuned.config, "fine_tuning": "last"}
    assert "fine_tuning" not in kinds(tuned)


def test_figures_of_few_pictures_are_called_rough(trained: ModelVersion) -> None:
    version = measured(trained, [[5, 0, 0], [0, 5, 0], [0, 0, 5]], has_detector=True)
    assert kinds(version) == ["rough"]


def test_suspected_labels_come_first(trained: ModelVersion, as_owner: Client) -> None:
    sample = trained.project.samples.select_related("image_class").first()
    assert sample is not None
    Finding.objects.create(
        project=trained.project, sample=sample, image_class=sample.image_class, kind="wrong_label", score=1.0
    )
    version = measured(trained, [[50, 0, 0], [0, 50, 0], [0, 0, 50]], has_detector=True)
    (advice,) = give_advice(version)
    assert (advice.kind, advice.evidence.split(" looks")[0]) == ("wrong_labels", "1 picture")
    assert as_owner.get(advice.address).status_code == 200


def test_class_for_other_things_is_offered_where_nothing_is_refused(trained: ModelVersion) -> None:
    version = measured(trained, [[50, 0, 0], [0, 50, 0], [0, 0, 50]], has_detector=False)
    assert kinds(version) == ["other_things"]
    ImageClass.objects.create(project=trained.project, name="None of these", is_negative=True)
    assert kinds(version) == []


def test_page_and_api_give_the_same(trained: ModelVersion, as_owner: Client) -> None:
    page = as_owner.get(trained.get_absolute_url()).content.decode()
    said = as_owner.get(f"/api/v1/projects/{trained.project.slug}/versions/{trained.number}/advice").json()
    assert said
    for one in said:
        assert one["button"] in page
        assert reverse("project", args=[trained.project.slug]) in one["address"]


def told(project: Project, *accuracies: float, twice: float) -> None:
    """Write a learning curve as a check leaves it."""
    points = [{"pictures": 10 * 2**place, "accuracy": one} for place, one in enumerate(accuracies)]
    curve = {"points": points, "twice": {"pictures": 2 * points[-1]["pictures"], "accuracy": twice}}
    Audit.objects.create(
        project=project, digest="0" * 64, key="", samples=40, learning_curve=curve, created_at=timezone.now()
    )


def test_more_pictures_are_asked_for_where_they_would_help(trained: ModelVersion, as_owner: Client) -> None:
    told(trained.project, 0.6, 0.7, 0.8, twice=0.84)
    version = measured(trained, [[50, 0, 0], [0, 50, 0], [0, 0, 50]], has_detector=True)
    (advice,) = give_advice(version)
    assert advice.kind == "more_pictures"
    assert "about 4 more of 100" in advice.evidence
    page = as_owner.get(advice.address.split("#")[0]).content.decode()
    assert "Would more pictures help?" in page
    assert "about 4 more of 100 would be right" in page
    said = as_owner.get(f"/api/v1/projects/{trained.project.slug}/audit").json()["learning_curve"]
    assert said["twice"] == {"pictures": 80, "accuracy": 0.84}


def test_other_pictures_are_asked_for_where_the_curve_is_flat(trained: ModelVersion) -> None:
    told(trained.project, 0.8, 0.8, 0.8, twice=0.8)
    weak = measured(trained, [[40, 1, 0], [0, 41, 9], [0, 0, 50]], has_detector=True)
    assert "other_pictures" in kinds(weak)
    assert "more_pictures" not in kinds(weak)


def test_without_a_curve_nothing_is_said_of_it(trained: ModelVersion, as_owner: Client) -> None:
    Audit.objects.create(project=trained.project, digest="0" * 64, key="", samples=3, created_at=timezone.now())
    version = measured(trained, [[50, 0, 0], [0, 50, 0], [0, 0, 50]], has_detector=True)
    assert kinds(version) == []
    shown = as_owner.get(reverse("check", args=[trained.project.slug])).content.decode()
    assert "Would more pictures help?" not in shown
