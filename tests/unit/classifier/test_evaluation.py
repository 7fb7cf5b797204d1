"""How good a version is, on its page and over the API: figures, pictures, all pictures, and what is empty."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import Audit, EvaluationSummary, ModelVersion, Project, Sample, SampleAudit
from classifier.services import evaluations
from ml.training.artifacts import ArtifactCorrupt
from tests.unit.classifier.test_augmented_training import train

HTMX = {"HX-Request": "true"}


def place(version: ModelVersion, name: str = "version_evaluation", *more: Any) -> str:
    return reverse(name, args=[version.project.slug, version.number, *more])


def words(page: Any) -> str:
    return " ".join(page.content.decode().split())


def check_all(project: Project, *, wrong: str = "") -> None:
    """Write what a check leaves that takes every picture for its class, but those with this file name for another."""
    samples = list(project.samples.select_related("image").order_by("pk"))
    classes = sorted({sample.image_class_id or 0 for sample in samples})
    labels = np.array([classes.index(sample.image_class_id or 0) for sample in samples])
    probabilities = np.full((len(samples), len(classes)), 0.1, np.float32)
    taken = np.where([sample.file_name == wrong for sample in samples], (labels + 1) % len(classes), labels)
    probabilities[np.arange(len(samples)), taken] = 0.8
    SampleAudit.objects.bulk_create(
        SampleAudit(sample=sample, project=project, predicted_class_id=classes[answer], confidence=0.8)
        for sample, answer in zip(samples, taken, strict=True)
    )
    Audit.objects.create(project=project, digest="0" * 64, key="", samples=len(samples), created_at=timezone.now())
    computed = evaluations.compute(labels, probabilities, [str(sample.pk) for sample in samples])
    evaluations.keep_checked(project, "0" * 64, classes, computed)


def test_page_shows_the_figures_of_the_test_pictures(trained: ModelVersion, as_owner: Client) -> None:
    """The version answers “blue”, its first class, whatever it sees, so it is as good as the constant guess."""
    page = words(as_owner.get(place(trained)))
    assert '<p class="big">33.3 %</p>' in page
    assert "of 3 test pictures were classified correctly" in page
    assert "the most frequent class, is right for 33.3 %" in page
    assert "33.3 % (balanced accuracy)" in page
    assert "expected calibration error over 15 bins of equal width" in page
    assert "Most confident mistakes (2)" in page


def test_figures_are_computed_once(trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    as_owner.get(place(trained))
    monkeypatch.setattr(evaluations, "load_evaluation", None)  # whoever asks for the answers again fails
    assert as_owner.get(place(trained)).status_code == 200


def test_figures_of_another_format_are_computed_again(trained: ModelVersion, as_owner: Client) -> None:
    evaluations.evaluate_version(trained)
    EvaluationSummary.objects.update(format=0, summary={})
    assert as_owner.get(place(trained)).status_code == 200


def test_damaged_answers_are_told_of(trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise ArtifactCorrupt("evaluation.npz was changed after it was written.")

    monkeypatch.setattr(evaluations, "load_evaluation", fail)
    assert "evaluation.npz was changed" in words(as_owner.get(place(trained)))


def test_version_without_test_pictures_says_so(trained: ModelVersion, as_owner: Client) -> None:
    empty = evaluations.compute(np.empty(0, np.int64), np.empty((0, 3), np.float32), [])
    defaults = {"digest": trained.artifact_digest, "project": trained.project, "classes": [1, 2, 3], **empty}
    EvaluationSummary.objects.create(model_version=trained, **defaults)
    assert "This version has no test pictures" in words(as_owner.get(place(trained)))
    trained.config["recipe"] = "imported"
    trained.save()
    assert "There were no pictures of its classes to test it on" in words(as_owner.get(place(trained)))


def test_mistakes_come_with_the_answer_and_all_actions(trained: ModelVersion, as_owner: Client) -> None:
    part = words(as_owner.get(place(trained, "version_judged") + "?show=mistakes", headers=HTMX))
    assert "2 mistakes, the most confident first" in part
    assert part.count("<img") == 2
    assert "taken for blue, 58 %" in part
    assert reverse("samples_move", args=[trained.project.slug]) in part
    whole = words(as_owner.get(place(trained) + "?show=mistakes"))
    assert whole.count('class="sample"') == 2  # without a script they come with the page


def test_cell_shows_its_pictures(trained: ModelVersion, as_owner: Client) -> None:
    blue, green = (pk for pk, name in trained.dataset_version.classes if name in ("blue", "green"))
    asked = f"?true={green}&predicted={blue}"
    part = words(as_owner.get(place(trained, "version_judged") + asked, headers=HTMX))
    assert "1 picture of “green” taken for “blue”" in part
    assert f"wrong=1&amp;predicted={blue}" in part
    assert as_owner.get(place(trained, "version_judged") + asked)["Location"].startswith(place(trained) + asked)
    assert "0 pictures" in words(as_owner.get(place(trained, "version_judged") + "?true=99&predicted=98", headers=HTMX))


def test_picture_that_is_gone_is_counted(trained: ModelVersion, as_owner: Client) -> None:
    Sample.objects.filter(project=trained.project, split="test").update(deleted_at=timezone.now())
    part = words(as_owner.get(place(trained, "version_judged"), headers=HTMX))
    assert "2 of them are not in the project any more." in part


def test_pictures_come_in_pages(trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.views.judged.PAGE", 1)
    first = words(as_owner.get(place(trained, "version_judged"), headers=HTMX))
    assert "offset=1" in first
    second = words(as_owner.get(place(trained, "version_judged") + "?show=mistakes&offset=1", headers=HTMX))
    assert second.count("<img") == 1
    assert "offset=" not in second
    assert "<form" not in second


def test_all_pictures_show_wrong_labels_in_training(trained: ModelVersion, as_owner: Client) -> None:
    suspect = trained.project.samples.filter(split="training").first()
    assert suspect is not None
    Sample.objects.filter(pk=suspect.pk).update(file_name="suspect.jpg")
    check_all(trained.project, wrong="suspect.jpg")
    page = words(as_owner.get(place(trained) + "?of=all"))
    assert "of 18 pictures were classified correctly" in page
    assert "94.4 %" in page
    part = words(as_owner.get(place(trained, "version_judged") + "?of=all", headers=HTMX))
    assert "suspect.jpg" in part
    assert part.count("<img") == 1
    grid = words(as_owner.get(f"/projects/{trained.project.slug}/pictures/?checked=wrong&sort=sure"))
    assert "suspect.jpg" in grid
    assert "wrong by the last check" in grid
    assert '<input type="hidden" name="checked" value="wrong">' in grid  # another filter beside it leaves it in place


def test_all_pictures_want_a_check_first(trained: ModelVersion, as_owner: Client) -> None:
    page = words(as_owner.get(place(trained) + "?of=all"))
    assert "The pictures have not been checked yet." in page
    assert reverse("check_start", args=[trained.project.slug]) in page
    assert as_owner.get(place(trained, "version_judged") + "?of=all", headers=HTMX).status_code == 404


def test_threshold_works_without_a_script(trained: ModelVersion, as_owner: Client) -> None:
    green = next(pk for pk, name in trained.dataset_version.classes if name == "green")
    page = words(as_owner.get(place(trained) + f"?class={green}&threshold=0"))
    assert "<dd data-called>3</dd>" in page
    assert "<strong data-precision>33.3 %</strong>" in page
    assert "<strong data-recall>100.0 %</strong>" in page
    nothing = words(as_owner.get(place(trained) + f"?class={green}&threshold=999"))
    assert "<dd data-called>0</dd>" in nothing


@pytest.mark.parametrize("asked", ["?class=x&threshold=-1", "?order=none&by=none&classes=x", "?of=x&show=x&true=x"])
def test_strange_addresses_show_the_page(asked: str, trained: ModelVersion, as_owner: Client) -> None:
    assert as_owner.get(place(trained) + asked).status_code == 200


def test_many_classes_become_a_heat_map(
    trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.confusion_matrix.MOST_IN_TABLE", 2)
    page = words(as_owner.get(place(trained)))
    assert place(trained, "version_heat_map") in page  # it comes after the page, or as a picture without a script
    assert 'class="matrix"' not in page
    part = words(as_owner.get(place(trained, "version_heat_map") + "?order=trained", headers=HTMX))
    assert 'viewBox="0 0 3 3"' in part
    assert '<path class="right shade-10" d="M0 0h1v1h-1z"/>' in part
    assert "0,0" in part
    assert as_owner.get(place(trained, "version_heat_map") + "?of=all").status_code == 404


def test_table_of_too_many_classes_is_refused(
    trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.evaluation_tables.MOST_IN_MATRIX", 2)
    answer = as_owner.get(place(trained, "version_table", "matrix") + "?as=json")
    assert answer.status_code == 422
    assert "What is taken for what" in answer.content.decode()
    assert as_owner.get(place(trained, "version_table", "confusions") + "?as=json").status_code == 200


def test_tables_and_charts_can_be_taken_away(trained: ModelVersion, as_owner: Client) -> None:
    class_ = trained.project.classes.get(name="green")
    class_.name = '=HYPERLINK("http://x")'
    class_.save()
    table = as_owner.get(place(trained, "version_table", "classes"))
    assert table["Content-Type"].startswith("text/csv")
    assert "'=HYPERLINK" in table.content.decode()
    assert "\n=" not in table.content.decode()
    rows = as_owner.get(place(trained, "version_table", "matrix") + "?as=json").json()["rows"]
    assert rows[0]["true_class"] == "blue"
    assert rows[0]["blue"] == 1
    for chart in ("reliability", "coverage", "thresholds", "matrix"):
        drawn = as_owner.get(place(trained, "version_table", chart) + "?as=svg")
        ElementTree.fromstring(drawn.content.decode().strip())  # which is what it says it is
        assert drawn["Content-Type"] == "image/svg+xml"
        assert "<title" in drawn.content.decode()
    for strange in ("nothing", "classes?as=svg", "classes?as=exe"):
        assert as_owner.get(place(trained, "version_table", "x")[:-1] + strange).status_code == 404


def test_api_tells_the_same(trained: ModelVersion, as_owner: Client) -> None:
    address = f"/api/v1/projects/{trained.project.slug}/versions/1/evaluation"
    found = as_owner.get(address).json()
    assert (found["n"], found["of"], found["constant_accuracy"]) == (3, "test", 0.333333)
    assert [one["recall"] for one in found["classes"]] == [1, 0, 0]
    assert {one["predicted_class"]["name"] for one in found["confusions"]} == {"blue"}
    curve = as_owner.get(f"{address}/classes/{found['classes'][0]['id']}").json()
    assert curve["thresholds"][0] == {"threshold": 0, "called": 3, "right": 1, "precision": 0.333333, "recall": 1}
    assert len(curve["thresholds"]) == 101
    page = as_owner.get(f"{address}/pictures?size=1&offset=1").json()
    assert page["count"] == 2
    assert [one["predicted_class"]["name"] for one in page["pictures"]] == ["blue"]
    green = found["classes"][1]["id"]
    assert as_owner.get(f"{address}/pictures?true_class={green}").json()["count"] == 1
    assert as_owner.get(f"{address}/pictures?show=hits").json()["count"] == 1
    assert as_owner.get(f"{address}?of=all").status_code == 404
    assert as_owner.get(f"{address}/classes/0").status_code == 404
    check_all(trained.project)
    assert as_owner.get(f"{address}?of=all").json()["accuracy"] == 1
    assert json.loads(as_owner.get(f"{address}/pictures?of=all&show=hits").content)["count"] == 18


def test_training_computes_what_the_page_shows(filled: Project, backbones: Path, settings: Any) -> None:
    """So nobody who opens the page of a new version waits for that."""
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    train(filled)
    kept = EvaluationSummary.objects.get(model_version__project=filled)
    assert kept.digest == filled.model_versions.get().artifact_digest


def test_scientific_libraries_are_not_needed_to_show_figures() -> None:
    """They take a second to import, which the first page of a web process would wait for."""
    program = "import sys, ml.evaluation.summary, ml.evaluation.mcnemar; print({'scipy', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
