"""Two versions on the same test pictures: fixed, broken, and whether that can be chance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from classifier.comparison_words import describe_verdict
from classifier.models import ModelVersion, Project, Sample
from classifier.services import datasets, version_comparison
from classifier.services.version_comparison import Verdict, compare_versions
from ml.training.artifacts import Evaluation
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures, publish

HTMX = {"HX-Request": "true"}


@pytest.fixture
def many(project: Project) -> Project:
    """Fill the project with two classes of thirty test pictures, and some to train on."""
    names = [f"{name}/{place}.jpg" for name in ("cup", "jar") for place in range(34)]
    add_pictures(project, {name: make_jpeg(number, size=(16, 16)) for number, name in enumerate(names)})
    for name in ("cup", "jar"):
        kept = list(project.samples.filter(image_class__name=name).values_list("pk", flat=True))
        Sample.objects.filter(pk__in=kept[:30]).update(split="test", split_is_given=True)
        Sample.objects.filter(pk__in=kept[30:32]).update(split="validation", split_is_given=True)
        Sample.objects.filter(pk__in=kept[32:]).update(split="training", split_is_given=True)
    return project


class Answers:
    """Stands in for the artifacts: which test pictures each version gets wrong."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wrong: dict[str, set[int]] = {}
        self._real = version_comparison.load_evaluation
        monkeypatch.setattr(version_comparison, "load_evaluation", self._load)

    def _load(self, digest: str) -> Evaluation:
        found = self._real(digest)
        predicted = np.array(
            [1 - label if place in self.wrong.get(digest, ()) else label for place, label in enumerate(found.labels)]
        )
        probabilities = np.where(np.arange(2) == predicted[:, np.newaxis], 0.9, 0.1).astype(np.float32)
        return Evaluation(found.sha256s, found.labels, probabilities)

    def errs(self, version: ModelVersion, places: Sequence[int]) -> ModelVersion:
        self.wrong[version.artifact_digest] = set(places)
        return version


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(monkeypatch)


def two(project: Project) -> tuple[ModelVersion, ModelVersion]:
    return publish(project), publish(project, seed=1)


def page_of(
    client: Client, project: Project, query: str = "?v=1&v=2", name: str = "version_compare", **more: Any
) -> str:
    page = client.get(reverse(name, args=[project.slug]) + query, **more)
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def test_ten_fixed_pictures_speak_for_the_second(many: Project, answers: Answers, as_owner: Client) -> None:
    before, after = two(many)
    answers.errs(before, range(10))
    found = compare_versions(before, after)
    assert (found.n, found.hits_before, found.hits_after) == (60, 50, 60)
    assert (len(found.fixed), len(found.broken)) == (10, 0)
    assert found.verdict.better == "after"
    assert found.verdict.p == pytest.approx(2 / 2**10)
    page = page_of(as_owner, many)
    assert (
        "Version 2 is better: if they were equally good, chance alone would show this in 1 of 510 comparisons." in page
    )
    assert "10 fixed, 0 newly broken" in page
    part = page_of(as_owner, many, "?v=1&v=2&show=fixed", headers=HTMX)
    assert part.count('class="sample"') == 10
    assert "was taken for" in part
    assert "right=2&amp;wrong=1" in part


def test_first_may_be_the_better_one(many: Project, answers: Answers) -> None:
    before, after = two(many)
    answers.errs(after, range(8))
    assert compare_versions(before, after).verdict.better == "before"
    found = compare_versions(before, after)
    assert describe_verdict(found, 1, 2).startswith("Version 1 is better")


def test_five_pictures_are_too_few_to_tell(many: Project, answers: Answers, as_owner: Client) -> None:
    before, after = two(many)
    answers.errs(before, range(5))
    assert compare_versions(before, after).verdict.better is None
    assert "Too few pictures to tell: only 5 pictures tell them apart." in page_of(as_owner, many)


def test_what_chance_makes_is_no_difference(many: Project, answers: Answers, as_owner: Client) -> None:
    before, after = two(many)
    answers.errs(before, range(6))
    answers.errs(after, range(10, 14))
    assert compare_versions(before, after).verdict.better == ""
    assert "No clear difference: if they were equally good, chance alone would show as much" in page_of(as_owner, many)


def test_pictures_of_one_thing_count_as_one(many: Project, answers: Answers) -> None:
    """Ten frames of one video that are fixed together are one thing, and tell nothing."""
    many.samples.filter(split="test").update(group="one video")
    before, after = two(many)
    answers.errs(before, range(10))
    assert compare_versions(before, after).verdict == Verdict(None, 1.0, 1)


def test_equal_answers_tell_nothing_apart(many: Project, answers: Answers, as_owner: Client) -> None:
    two(many)
    page = page_of(as_owner, many)
    assert "No picture tells them apart" in page
    assert "Seed" in page
    assert "both were made from the same pictures" in page


def test_only_shared_test_pictures_count_and_trained_ones_are_warned_of(
    many: Project, answers: Answers, as_owner: Client
) -> None:
    before = publish(many)
    moved = list(many.samples.filter(split="test").order_by("pk").values_list("pk", flat=True)[:3])
    many.samples.filter(pk__in=moved).update(split="training")
    after = publish(many, seed=1)
    found = compare_versions(before, after)
    assert (found.n, found.left_out, found.trained_on) == (57, 3, 3)
    assert found.data["resplit"] == 3
    page = page_of(as_owner, many)
    assert "3 of the test pictures of one were used to train the other" in page
    assert "3 pictures in another split" in page


def test_picture_whose_class_changed_is_left_out(many: Project, answers: Answers) -> None:
    before = publish(many)
    cup, jar = many.classes.order_by("pk")
    sample = many.samples.filter(split="test", image_class=cup).first()
    assert sample is not None
    many.samples.filter(pk=sample.pk).update(image_class=jar)
    found = compare_versions(before, publish(many, seed=1))
    assert (found.n, found.relabelled, found.data["moved"]) == (59, 1, 1)


def test_versions_without_shared_pictures_cannot_be_compared(many: Project, answers: Answers, as_owner: Client) -> None:
    publish(many)
    many.samples.filter(split="test").update(split="training")
    many.samples.filter(split="validation").update(split="test")
    publish(many, seed=1)
    assert "They were tested on different pictures, so they cannot be compared." in page_of(as_owner, many)


def test_page_asks_for_two_versions(many: Project, as_owner: Client) -> None:
    assert "There are no two versions yet." in page_of(as_owner, many, "")
    two(many)
    assert "Compare two versions" in page_of(as_owner, many, "?v=1")
    assert "Only two versions can be compared at a time." in page_of(as_owner, many, "?v=1&v=2&v=3")
    assert as_owner.get(reverse("version_compare", args=[many.slug]) + "?v=1&v=9").status_code == 404


def test_damaged_version_is_told_of(many: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    two(many)

    def fail(_: str) -> None:
        raise datasets.DatasetCorrupt("The file was changed.")

    monkeypatch.setattr(version_comparison, "load_evaluation", fail)
    assert "The file was changed." in page_of(as_owner, many)


def test_page_names_backbones_as_people_do(many: Project, answers: Answers, as_owner: Client) -> None:
    before, _ = two(many)
    answers.errs(before, range(10))
    ModelVersion.objects.filter(pk=before.pk).update(backbone="efficientnet_lite0")
    shown = page_of(as_owner, many)
    assert "<td>EfficientNet-Lite0</td><td>Testing (tiny, fixed)</td>" in shown


def test_api_compares(many: Project, answers: Answers, as_owner: Client) -> None:
    before, _ = two(many)
    answers.errs(before, range(10))
    address = f"/api/v1/projects/{many.slug}/versions/1/compare/2"
    found = as_owner.get(address).json()
    assert (found["fixed"], found["broken"], found["verdict"]["better"]) == (10, 0, "after")
    assert found["settings"] == [{"label": "Seed", "before": "0", "after": "1"}]
    page = as_owner.get(f"{address}/pictures?show=fixed&size=4&offset=8").json()
    assert (page["count"], len(page["pictures"])) == (10, 2)
    assert page["pictures"][0]["after"] == page["pictures"][0]["true_class"]
    table = as_owner.get(reverse("version_comparison_table", args=[many.slug]) + "?v=1&v=2").content.decode()
    assert table.splitlines()[0] == "class,pictures,before,after,change"
