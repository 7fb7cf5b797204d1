"""Backbones are tried on a project's own pictures, and what came of it is said on pages, in advice and over the API."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.jobs import sending
from classifier.jobs.kinds import COMPARE_BACKBONES, TRAIN
from classifier.jobs.lifecycle import cancel_job
from classifier.jobs.results import BackboneComparison, BackboneTrial
from classifier.models import Embedding, Job, ModelVersion, Project
from classifier.services import backbone_comparisons as comparisons
from classifier.services.advice import give_advice
from classifier.services.samples import delete_samples
from ml.backbones.registry import BACKBONES, _get_registered
from ml.engines.conversion import convert
from ml.training.backbone_comparison import TooFewPictures, judge_backbone
from tests.datasets import coloured_pictures
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures
from tests.unit.classifier.test_readiness import run_all

pytestmark = pytest.mark.django_db(transaction=True)  # what is queued when a transaction commits


ENDED = {"status": Job.Status.SUCCEEDED, "finished_at": datetime(2026, 1, 1, tzinfo=UTC)}


def build_grey(weights: Path | None, input_size: int) -> Any:
    """Build a network that sees how bright a picture is, and no colours."""
    import keras

    pictures = keras.Input((input_size, input_size, 3))
    layer = keras.layers.Conv2D(4, 1, use_bias=False)
    features = keras.layers.GlobalAveragePooling2D()(layer(pictures))
    layer.set_weights([np.full((1, 1, 3, 4), 1 / 384, np.float32)])
    return keras.Model(pictures, features)


@pytest.fixture(autouse=True)
def _two_backbones(settings: Any, backbones: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a backbone that sees colours, and one that does not."""
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    settings.EMBED_EARLY = False
    grey = replace(BACKBONES["testing"], name="grey", title="Grey", features=4, builder=build_grey)
    monkeypatch.setitem(BACKBONES, "grey", grey)
    monkeypatch.setattr("ml.engines.conversion._run_converter", convert)  # another process would not know it
    monkeypatch.setattr(comparisons, "list_at_hand", lambda: ["grey", "testing"])
    yield
    _get_registered.cache_clear()


@pytest.fixture
def coloured(project: Project) -> Project:
    """Fill a project with colours that are equally bright."""
    colours = {"red": (200, 50, 50), "green": (50, 200, 50), "blue": (50, 50, 200)}
    add_pictures(
        project, {f"{name}/{n}.jpg": make_jpeg(n, colour=colours[name]) for name in colours for n in range(10)}
    )
    return project


def with_current(project: Project, backbone: str) -> Project:
    """Let a training with this backbone have been the project's last."""
    sending.queue_job(TRAIN, project=project, by=project.owner, config={"backbone": backbone})
    project.jobs.update(**ENDED)
    return project


def compare(project: Project) -> Job:
    job = comparisons.request_comparison(project, by=project.owner)
    run_all()
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, (job.error, job.error_detail)
    return job


def test_the_better_backbone_is_recommended(coloured: Project, as_owner: Client) -> None:
    job = compare(with_current(coloured, "grey"))
    found = BackboneComparison.model_validate(job.result)
    assert (found.pictures, found.compared_with) == (30, "grey")
    best, current = comparisons.judge_trials(job)
    assert (best.trial.backbone, best.trial.correct, best.is_recommended) == ("testing", 30, True)
    assert (best.trial.fixed - best.trial.broken) == 30 - current.trial.correct
    assert (current.words, current.is_recommended, current.gain) == ("the current one", False, 0.0)
    assert f"{100 * best.gain:.1f} points better" in best.words
    page = as_owner.get(job.get_absolute_url()).content.decode()
    assert "Recommended" in page
    assert f"{reverse('train', args=[coloured.slug])}?backbone=testing" in page
    told = as_owner.get(f"/api/v1/projects/{coloured.slug}/backbone-comparison").json()
    assert [(one["backbone"], one["recommended"]) for one in told["trials"]] == [("testing", True), ("grey", False)]
    assert (told["pictures"], told["trials"][0]["accuracy"]) == (30, 1.0)


def test_nothing_is_recommended_where_the_current_one_is_best(coloured: Project) -> None:
    compare(with_current(coloured, "testing"))
    assert comparisons.find_recommended(coloured) is None


def test_what_was_computed_is_not_computed_again(coloured: Project) -> None:
    compare(coloured)
    assert Embedding.objects.count() == 2 * 30
    compare(coloured)
    assert Job.objects.filter(kind="embed").exclude(parent=None).exclude(result={"computed": 0}).count() >= 2
    assert Embedding.objects.count() == 2 * 30


def test_pictures_that_come_and_go_meanwhile_do_no_harm(
    coloured: Project, monkeypatch: pytest.MonkeyPatch, owner: User
) -> None:
    def meanwhile(*_: object) -> None:
        add_pictures(coloured, {"red/late.jpg": make_jpeg(500, colour=(200, 50, 50))})
        delete_samples(coloured, coloured.samples.filter(file_name__contains="0.jpg"), by=owner)

    monkeypatch.setattr("worker.compare_backbones.compare_pictures", meanwhile)
    found = BackboneComparison.model_validate(compare(coloured).result)
    assert found.pictures == 27


@pytest.mark.parametrize("most", [12, 10_000])
def test_all_backbones_are_judged_by_the_same_pictures_of_very_many(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.training.cross_validation.MOST_PICTURES", most)
    labels = np.repeat([0, 1], 15)
    groups = [str(place) for place in range(30)]
    features = np.eye(2, dtype=np.float32)[labels] + np.random.default_rng(0).normal(0, 0.1, (30, 2)).astype(np.float32)
    right = judge_backbone(features, labels, groups, 2, lambda _: None)
    assert right.shape == (10 if most == 12 else 30,)
    assert right.all()


def test_asking_twice_leads_to_the_open_comparison(coloured: Project, as_owner: Client) -> None:
    address = reverse("compare_backbones", args=[coloured.slug])
    first = as_owner.post(address)["Location"]
    assert as_owner.post(address)["Location"] == first
    answer = as_owner.post(f"/api/v1/projects/{coloured.slug}/backbone-comparison")
    assert (answer.status_code, answer.json()["job"]) == (202, coloured.jobs.get().pk)
    assert as_owner.get(f"/api/v1/projects/{coloured.slug}/backbone-comparison").status_code == 404
    assert as_owner.get(address).status_code == 405


def test_cancelled_comparison_can_be_tried_again(coloured: Project, as_owner: Client) -> None:
    cancel_job(comparisons.request_comparison(coloured, by=coloured.owner))
    answer = as_owner.post(f"/api/v1/jobs/{coloured.jobs.get().pk}/retry")
    assert answer.status_code == 202
    assert coloured.jobs.filter(kind=COMPARE_BACKBONES.name).count() == 2


@pytest.mark.parametrize("classes", [{}, {"red": 5}, {"red": 5, "blue": 1}])
def test_too_few_pictures_are_refused(classes: dict[str, int], project: Project, as_owner: Client) -> None:
    pictures = coloured_pictures(5)
    add_pictures(project, {name: pictures[name] for kind, n in classes.items() for name in list_of(pictures, kind)[:n]})
    with pytest.raises(TooFewPictures):
        comparisons.request_comparison(project, by=project.owner)
    answer = as_owner.post(reverse("compare_backbones", args=[project.slug]), follow=True)
    assert "two classes with at least two different photos" in answer.content.decode()
    assert as_owner.post(f"/api/v1/projects/{project.slug}/backbone-comparison").status_code == 422


def test_pictures_that_all_show_the_same_thing_are_too_few(coloured: Project) -> None:
    red = coloured.samples.filter(image_class__name="red")
    red.update(group="one video")
    with pytest.raises(TooFewPictures):
        comparisons.request_comparison(coloured, by=coloured.owner)
    red.filter(pk=red.values_list("pk", flat=True).order_by("-pk")[0]).update(group="another")
    assert comparisons.request_comparison(coloured, by=coloured.owner).is_open


def test_request_does_not_read_all_pictures(coloured: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        pytest.fail("This takes the longer the more pictures there are.")

    monkeypatch.setattr("classifier.services.datasets.list_labelled", read)
    assert comparisons.request_comparison(coloured, by=coloured.owner).is_open


def list_of(pictures: dict[str, bytes], kind: str) -> list[str]:
    return [name for name in pictures if f"{kind}/" in name]


def test_a_current_backbone_that_is_gone_is_told(coloured: Project, as_owner: Client) -> None:
    with_current(coloured, "custom-gone")
    answer = as_owner.post(f"/api/v1/projects/{coloured.slug}/backbone-comparison")
    assert (answer.status_code, "Train with another one first" in answer.content.decode()) == (422, True)


def test_strangers_see_nothing(coloured: Project, as_stranger: Client) -> None:
    assert as_stranger.post(reverse("compare_backbones", args=[coloured.slug])).status_code == 404
    assert as_stranger.post(f"/api/v1/projects/{coloured.slug}/backbone-comparison").status_code == 404
    assert as_stranger.get(f"/api/v1/projects/{coloured.slug}/backbone-comparison").status_code == 404


# --- what is said of it ----------------------------------------------------------------------------


def finish(project: Project, by: User, *, fixed: int, broken: int, p: float, milliseconds: float = 30.0) -> Job:
    """Let a comparison have ended with these figures."""
    job = sending.queue_job(COMPARE_BACKBONES, project=project, by=by)
    usual = BackboneTrial(backbone="testing", title="T", correct=70, fixed=0, broken=0, p=1.0, milliseconds=10.0)
    figures = {"correct": 70 + fixed - broken, "fixed": fixed, "broken": broken, "p": p, "milliseconds": milliseconds}
    other = BackboneTrial(backbone="grey", title="Grey", **figures)
    trials = sorted([usual, other], key=lambda trial: -trial.correct)
    result = BackboneComparison(pictures=100, compared_with="testing", trials=trials)
    Job.objects.filter(pk=job.pk).update(**ENDED, result=result.model_dump())
    job.refresh_from_db()
    return job


@pytest.mark.parametrize(
    ("figures", "words", "is_recommended"),
    [
        ({"fixed": 12, "broken": 2, "p": 0.013}, "10.0 points better, 3.0 × slower", True),
        ({"fixed": 2, "broken": 1, "p": 1.0}, "1.0 points better (may be chance), 3.0 × slower", False),
        ({"fixed": 1, "broken": 9, "p": 0.02, "milliseconds": 5.0}, "8.0 points worse, 2.0 × faster", False),
        ({"fixed": 3, "broken": 3, "p": 1.0, "milliseconds": 11.0}, "as many right, about as fast", False),
    ],
)
def test_words_say_what_is_gained_and_what_it_costs(
    figures: dict[str, Any], words: str, is_recommended: bool, trained: ModelVersion, owner: User
) -> None:
    judged = {one.trial.backbone: one for one in comparisons.judge_trials(finish(trained.project, owner, **figures))}
    assert (judged["grey"].words, judged["grey"].is_recommended) == (words, is_recommended)
    advice = {one.kind: one for one in give_advice(trained)}
    assert ("better_backbone" in advice) == is_recommended
    if is_recommended:
        assert words in advice["better_backbone"].evidence
        assert advice["better_backbone"].address.endswith("?backbone=grey")
