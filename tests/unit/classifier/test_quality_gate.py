"""What a version must reach to become live by itself, and what is shown before a person makes one live."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from classifier.models import Job, ModelVersion, Project
from classifier.selectors import live_version
from classifier.services import quality_gate, version_comparison
from classifier.services.accounts import create_api_key
from classifier.services.project_settings import SettingsRefused, change_settings
from classifier.services.quality_gate import Condition, check_metrics, check_version
from classifier.services.version_comparison import Verdict
from ml.errors import Conflict
from ml.training.artifacts import ArtifactCorrupt
from tests.unit.classifier.conftest import publish

METRICS: dict[str, Any] = {
    "test_accuracy": 0.85,
    "test_n": 40,
    "test_groups": 40,
    "interval": [0.7, 0.93],
    "per_class": [
        {"name": "cup", "n": 20, "precision": 0.8, "recall": 0.9},
        {"name": "jar", "n": 20, "precision": 0.9, "recall": 0.8},
    ],
}


def gate(
    project: Project, metrics: dict[str, Any], verdict: Verdict | None = None, live: Any = None
) -> list[Condition]:
    def compare(_: ModelVersion) -> Verdict:
        assert verdict is not None
        return verdict

    return check_metrics(project, metrics, ["cup", "jar"], compare, live)


def page_of(client: Client, address: str) -> str:
    page = client.get(address)
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def test_no_condition_by_default(trained: ModelVersion) -> None:
    assert check_version(trained) == []
    assert not quality_gate.has_gate(trained.project)


@pytest.mark.parametrize(("least", "passed"), [(85, True), (86, False)])
def test_accuracy_is_held_against_the_best_estimate(least: int, passed: bool) -> None:
    (found,) = gate(Project(least_accuracy=least), METRICS)
    assert found.passed is passed
    assert "85.0 % of 40 test pictures" in found.found
    crossed = {"accuracy": 0.9, "n": 200, "groups": 200, "interval": [0.85, 0.93], "folds": 5}
    (found,) = gate(Project(least_accuracy=90), {**METRICS, "cross_validation": crossed})
    assert found.passed
    assert "90.0 % of 200 cross-validated pictures" in found.found


def test_what_was_not_measured_does_not_pass() -> None:
    nothing = {**METRICS, "test_accuracy": None, "per_class": [{"n": 0, "recall": None}, {"n": 3, "recall": 1.0}]}
    accuracy, recall = gate(Project(least_accuracy=1, least_recall=1), nothing)
    assert not accuracy.passed
    assert "not known" in accuracy.found
    assert not recall.passed
    assert "“cup” has no test pictures" in recall.found


def test_recall_names_the_classes_that_fall_short() -> None:
    (found,) = gate(Project(least_recall=85), METRICS)
    assert (found.passed, found.found) == (False, "“jar” has 80.0 % of 20.")
    (found,) = gate(Project(least_recall=80), METRICS)
    assert (found.passed, found.found) == (True, "the lowest is 80.0 %, of “jar”.")


@pytest.mark.parametrize(("better", "passed"), [("before", False), ("after", True), ("", True), (None, True)], ids=str)
def test_only_what_is_clearly_worse_is_kept_back(better: str | None, passed: bool) -> None:
    (found,) = gate(Project(not_worse=True), METRICS, Verdict(better, 0.01, 9), ModelVersion(number=4))
    assert found.passed is passed
    assert "9 pictures tell them apart" in found.found
    assert "version 4" in found.wanted


def test_nothing_is_worse_than_no_live_version() -> None:
    (found,) = gate(Project(not_worse=True), METRICS)
    assert found.passed


def test_what_cannot_be_compared_does_not_pass(trained: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(digest: str) -> None:
        raise ArtifactCorrupt("evaluation.npz is missing")

    second = publish(trained.project, seed=1)
    change_settings(trained.project, not_worse=True)
    second.refresh_from_db()
    monkeypatch.setattr(version_comparison, "load_evaluation", fail)
    (found,) = check_version(ModelVersion.objects.get(pk=second.pk))
    assert not found.passed
    assert "cannot be compared" in found.found


def train_and_promote(project: Project, monkeypatch: pytest.MonkeyPatch, seed: int) -> ModelVersion:
    from classifier.jobs import sending
    from classifier.jobs.state import JobState

    real = sending.queue_job

    def asking(*args: Any, **more: Any) -> Job:
        return real(*args, **more, state=JobState(promote=True))

    with monkeypatch.context() as patch:
        patch.setattr(sending, "queue_job", asking)
        return publish(project, seed=seed)


def test_version_that_falls_short_stays_unlive_and_says_why(
    trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = trained.project
    change_settings(project, least_accuracy=90)
    second = train_and_promote(project, monkeypatch, seed=1)
    assert live_version(project) == trained
    reason = "Accuracy of at least 90 %: it is 33.3 % of 3 test pictures."
    assert second.job is not None
    second.job.refresh_from_db()
    assert second.job.result["not_live"] == [reason]
    page = page_of(as_owner, second.job.get_absolute_url())
    assert reason in page
    assert reverse("promote", args=[project.slug, 2]) in page
    page = page_of(as_owner, second.get_absolute_url())
    assert "not met</span> Accuracy of at least 90 %: it is 33.3 %" in page
    as_owner.post(reverse("promote", args=[project.slug, 2]))
    assert live_version(project) == second  # a person may


def test_version_that_passes_becomes_live(trained: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    change_settings(trained.project, least_accuracy=30, not_worse=True)
    second = train_and_promote(trained.project, monkeypatch, seed=1)
    assert live_version(trained.project) == second
    assert second.job is not None
    second.job.refresh_from_db()
    assert "not_live" not in second.job.result


def test_first_version_is_held_against_the_gate_too(filled: Project) -> None:
    change_settings(filled, least_recall=90)
    publish(filled)
    assert live_version(filled) is None


def test_any_version_is_better_than_a_damaged_live_one(trained: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    from classifier.services import model_versions

    change_settings(trained.project, least_accuracy=90)
    monkeypatch.setattr(model_versions, "is_whole", lambda version: version != trained)
    assert live_version(trained.project) == trained
    assert live_version(publish(trained.project, seed=1).project) == ModelVersion.objects.get(number=2)


def test_page_before_going_live_says_what_changes_for_the_worse(trained: ModelVersion, as_owner: Client) -> None:
    second = publish(trained.project, seed=1)
    address = reverse("promote", args=[trained.project.slug, second.number])
    assert f'href="{address}"' in page_of(as_owner, second.get_absolute_url())
    assert f'href="{address}"' in page_of(as_owner, reverse("versions", args=[trained.project.slug]))
    page = page_of(as_owner, address)
    assert "No picture tells them apart" in page
    assert "0 newly broken" in page
    assert "No class becomes worse." in page
    assert live_version(trained.project) == trained  # looking changes nothing
    as_owner.post(address)
    assert live_version(trained.project) == second


def test_page_before_going_live_shows_broken_pictures_and_falling_classes(
    trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = publish(trained.project, seed=1)
    real = version_comparison.load_evaluation

    def turned(digest: str) -> Any:
        found = real(digest)
        if digest == second.artifact_digest:
            found.probabilities[:] = found.probabilities[:, ::-1]  # it answers with the last class instead
        return found

    monkeypatch.setattr(version_comparison, "load_evaluation", turned)
    page = page_of(as_owner, reverse("promote", args=[trained.project.slug, 2]))
    assert "1 newly broken, 1 fixed" in page
    assert "1 of 1 recognised now, 0 then" in page
    assert "now taken for" in page
    assert page.count('class="sample"') == 1
    assert "was taken for" in page_of(as_owner, reverse("promote", args=[trained.project.slug, 2]) + "?show=fixed")


def test_going_back_is_compared_the_other_way_round(trained: ModelVersion, as_owner: Client) -> None:
    second = publish(trained.project, seed=1)
    as_owner.post(reverse("promote", args=[trained.project.slug, 2]))
    page = page_of(as_owner, reverse("promote", args=[trained.project.slug, 1]))
    assert f"version {second.number}, which is live, classifies" in page
    assert "Make version 1 live?" in page


def test_nothing_is_in_the_way_while_no_version_is_live(filled: Project, as_owner: Client) -> None:
    change_settings(filled, least_recall=90)
    version = publish(filled)
    page = page_of(as_owner, version.get_absolute_url())
    assert f'action="{reverse("promote", args=[filled.slug, 1])}"' in page
    as_owner.post(reverse("promote", args=[filled.slug, 1]))
    assert live_version(filled) == version


def test_comparison_that_fails_does_not_keep_a_person_from_it(
    trained: ModelVersion, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise Conflict("The files are damaged.")

    publish(trained.project, seed=1)
    monkeypatch.setattr("classifier.views.promoting.compare_versions", fail)
    page = page_of(as_owner, reverse("promote", args=[trained.project.slug, 2]))
    assert "The files are damaged." in page
    assert "Make version 2 live</button>" in page


def test_buttons_ask_the_version_whose_page_it_is(trained: ModelVersion, as_owner: Client) -> None:
    second = publish(trained.project, seed=1)
    asked = f'href="{reverse("classify", args=[trained.project.slug])}?version=2"'
    assert asked in page_of(as_owner, second.get_absolute_url())
    assert asked in page_of(as_owner, reverse("versions", args=[trained.project.slug]))


def test_settings_page_saves_and_refuses(trained: ModelVersion, as_owner: Client) -> None:
    project, address = trained.project, reverse("project_settings", args=[trained.project.slug])
    as_owner.post(address, {"least_accuracy": "80", "least_recall": "", "not_worse": "on"})
    project.refresh_from_db()
    assert (project.least_accuracy, project.least_recall, project.not_worse) == (80, None, True)
    page = as_owner.post(address, {"least_accuracy": "101"}).content.decode()
    assert "less than or equal to 100" in page
    assert 'value="80"' in page_of(as_owner, address)
    as_owner.post(address, {})
    project.refresh_from_db()
    assert (project.least_accuracy, project.not_worse) == (None, False)


def test_api_reads_and_changes_the_gate(trained: ModelVersion, owner: User, client: Client) -> None:
    base, headers = (
        f"/api/v1/projects/{trained.project.slug}",
        {"Authorization": f"Bearer {create_api_key(owner, 't')[1]}"},
    )

    def patch(body: dict[str, Any]) -> Any:
        return client.patch(f"{base}/settings", body, content_type="application/json", headers=headers)

    assert patch({"least_accuracy": 80}).json()["least_accuracy"] == 80
    found = patch({"not_worse": True}).json()
    assert (found["least_accuracy"], found["least_recall"], found["not_worse"]) == (80, None, True)
    gate = client.get(f"{base}/versions/1/gate", headers=headers).json()
    assert gate["passed"] is False
    assert [one["name"] for one in gate["conditions"]] == ["least_accuracy", "not_worse"]
    for wrong in ({"least_accuracy": 0}, {"least_recall": 101}, {"least_recall": "80"}, {"least": 1}):
        assert patch(wrong).status_code in (400, 422), wrong
    assert patch({"least_accuracy": None, "not_worse": False}).json()["least_accuracy"] is None
    assert client.get(f"{base}/versions/1/gate", headers=headers).json() == {"passed": True, "conditions": []}


def test_service_and_database_refuse_impossible_percentages(project: Project) -> None:
    with pytest.raises(SettingsRefused):
        change_settings(project, least_recall=101)
    with pytest.raises(IntegrityError), transaction.atomic():
        Project.objects.filter(pk=project.pk).update(least_accuracy=101)
