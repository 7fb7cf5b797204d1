"""Fine-tuning from the Train button to a version with a backbone of its own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle, reporting
from classifier.jobs.progress import job_progress
from classifier.models import CustomBackbone, DatasetVersion, Job, ModelVersion, Project, Sample, StageTime
from classifier.selectors import list_custom_backbones
from classifier.services import checkpoints, prediction
from classifier.services.datasets import load_dataset
from classifier.services.estimates import PASSES, estimate_tuning
from classifier.services.reproduction import request_reproduction
from classifier.services.training import request_training
from ml.backbones.spec import is_custom
from ml.training.config import ConfigError, TrainConfig
from tests.textures import make_texture, textures
from tests.unit.classifier.conftest import add_pictures
from tests.unit.classifier.test_augmented_training import claim
from worker.embed import embed as embed_job
from worker.reproduce import reproduce
from worker.run import run_job
from worker.train import train as train_job

TUNED: dict[str, Any] = {"fine_tuning": "all", "fine_tuning_rate": 0.005, "fine_tuning_epochs": 8}
TRAINED_ON = 480


@pytest.fixture(autouse=True)
def _here(backbones: Path, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ML = replace(settings.ML, backbones_dir=backbones, weights_dir=tmp_path / "weights")


@pytest.fixture
def slopes(project: Project) -> Project:
    """Make two classes of 300, of which each has 240 for training."""
    add_pictures(project, textures(300))
    return project


def prepare(project: Project, **config: Any) -> Job:
    """Run the training of pictures that have been compared up to its embeddings."""
    Sample.objects.update(is_compared=True)
    wanted = TrainConfig(backbone="testing", **{**TUNED, **config})
    job = request_training(project, wanted, by=project.owner, force=True)
    train_job(claim(job))
    for child in job.children.order_by("pk"):
        embed_job(claim(child))
    job.refresh_from_db()
    return job


def train(project: Project, **config: Any) -> Job:
    job = prepare(project, **config)
    if job.is_open:
        train_job(claim(job))
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error
    return job


@pytest.mark.slow
def test_version_has_a_backbone_of_its_own_and_answers_with_it(slopes: Project) -> None:
    job = train(slopes)
    version = ModelVersion.objects.get()
    assert is_custom(version.backbone)
    assert version.config["backbone"] == "testing"
    assert (version.metrics["test_accuracy"] or 0) >= 0.85
    told = version.metrics["fine_tuning"]
    assert told["after"]["validation_loss"] < told["before"]["validation_loss"]
    assert 1 <= told["best_epoch"] <= told["epochs"] == 8
    network = CustomBackbone.objects.get()
    assert (network.name, network.project, network.owner, network.job) == (
        version.backbone,
        slopes,
        slopes.owner,
        job,
    )
    assert not list_custom_backbones(slopes.owner).exists()
    pictures = [make_texture(9000 + number, number % 2) for number in range(20)]
    live = prediction.find_answering(slopes.owner, slopes.slug)
    assert live is not None
    answers = prediction.answer(live, pictures).answers
    right = [answer.classes[0][0] == ("falling", "rising")[number % 2] for number, answer in enumerate(answers)]
    assert sum(right) >= 16
    assert job.state["measured"]["fine_tuning_pictures"] == 8 * TRAINED_ON
    kept = StageTime.objects.get(stage="fine_tune")
    assert kept.depends == "backbone=testing fine_tuning=all"
    assert kept.rate
    assert job.state["measured"]["step_rate"] > 0
    assert [point["epoch"] for point in job.curve if "epoch" in point] == list(range(9))

    again = train(slopes)
    assert again.result["unchanged"] is True
    assert ModelVersion.objects.count() == CustomBackbone.objects.count() == 1


@pytest.mark.slow
def test_why_is_told_for_the_tuned_backbone(slopes: Project, as_owner: Client) -> None:
    train(slopes, fine_tuning_epochs=3)
    version = ModelVersion.objects.get()
    assert is_custom(version.backbone)
    picture = SimpleUploadedFile("x.png", make_texture(9000, 0))
    told = as_owner.post(f"/api/v1/projects/{slopes.slug}/explain", {"image": picture}).json()
    assert np.mean(told["heat"]) == pytest.approx(told["logit"], abs=1e-3)
    training = set(load_dataset(version.dataset_version).sha256s("training"))
    assert len(told["similar"]) == 5
    assert {one["sha256"] for one in told["similar"]} <= training
    page = as_owner.post(reverse("classify", args=[slopes.slug]), {"image": picture.open(), "why": ""}).content.decode()
    assert "It looks most like these training pictures" in page


@pytest.mark.slow
def test_tuning_is_reproduced_from_its_beginning(slopes: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint of the first training is still there; to go on from it would show nothing."""
    train(slopes, fine_tuning_epochs=2)
    begun: list[bytes | None] = []
    real = checkpoints.load_checkpoint
    monkeypatch.setattr(checkpoints, "load_checkpoint", lambda path: begun.append(real(path)) or begun[-1])
    job = request_reproduction(ModelVersion.objects.get(), by=slopes.owner)
    reproduce(claim(job))
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error
    assert begun == [None]
    assert job.result["identical"], job.result
    assert ModelVersion.objects.count() == CustomBackbone.objects.count() == 1


@pytest.mark.slow
def test_tuning_that_does_not_help_keeps_the_backbone(slopes: Project, as_owner: Client) -> None:
    train(slopes, fine_tuning_rate=0.5)
    version = ModelVersion.objects.get()
    assert version.backbone == "testing"
    assert not CustomBackbone.objects.exists()
    told = version.metrics["fine_tuning"]
    assert told["best_epoch"] == 0
    assert told["before"] == told["after"]
    page = as_owner.get(version.get_absolute_url()).content.decode()
    assert "It did not help" in page
    assert "Fine-tuning: The whole network" in page


def killed(job: Job, monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    """Let the worker die after the checkpoint of that epoch: the lease goes, nothing more is written."""
    kept = checkpoints.keep_checkpoint

    def keep_and_die(job: Job, path: str, data: bytes, **options: int) -> None:
        kept(job, path, data, **options)
        if options["epochs"] - 1 == epochs:
            Job.objects.filter(pk=job.pk).update(lease="", worker_deaths=1)

    monkeypatch.setattr(checkpoints, "keep_checkpoint", keep_and_die)
    run_job(job.pk)
    monkeypatch.setattr(checkpoints, "keep_checkpoint", kept)
    job.refresh_from_db()
    assert job.status == Job.Status.RUNNING


@pytest.mark.slow
@pytest.mark.services
def test_job_whose_worker_died_goes_on_from_the_last_epoch(slopes: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = prepare(slopes)
    killed(job, monkeypatch, epochs=5)
    assert default_storage.exists(job.state["checkpoint"])
    checkpoints.delete_old_checkpoints()
    assert default_storage.exists(job.state["checkpoint"])
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error
    assert job.state["measured"]["fine_tuning_pictures"] == 3 * TRAINED_ON
    assert [point["epoch"] for point in job.curve if "epoch" in point] == list(range(9))
    checkpoints.delete_old_checkpoints()
    assert not default_storage.exists(job.state["checkpoint"])
    job.refresh_from_db()
    assert "checkpoint" not in job.state
    checkpoints.delete_old_checkpoints()  # and once more


@pytest.mark.slow
def test_next_job_of_the_same_content_goes_on_from_the_checkpoint(
    slopes: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(slopes)
    killed(first, monkeypatch, epochs=5)
    assert lifecycle.cancel_job(first)
    checkpoints.delete_old_checkpoints()
    second = prepare(slopes)
    run_job(second.pk)
    second.refresh_from_db()
    assert second.status == Job.Status.SUCCEEDED, second.error
    assert second.state["measured"]["fine_tuning_pictures"] == 3 * TRAINED_ON
    checkpoints.delete_old_checkpoints()
    assert not default_storage.exists(first.state["checkpoint"])


@pytest.mark.slow
def test_lost_checkpoint_costs_only_time(slopes: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = prepare(slopes)
    killed(job, monkeypatch, epochs=2)
    default_storage.delete(job.state["checkpoint"])
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.SUCCEEDED, job.error
    assert job.state["measured"]["fine_tuning_pictures"] == 8 * TRAINED_ON


@pytest.mark.slow
def test_cancelled_job_stops_within_a_batch_and_publishes_nothing(
    slopes: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = prepare(slopes)
    monkeypatch.setattr("worker.throttle.REPORT_SECONDS", 0.0)
    report, reports = reporting.report, []

    def cancel_at_third(held: Job, **values: Any) -> None:
        report(held, **values)
        if held.stage == "fine_tune" and values["done"]:
            reports.append(values["done"])
            if len(reports) == 3:
                lifecycle.cancel_job(job)

    monkeypatch.setattr(reporting, "report", cancel_at_third)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.status == Job.Status.CANCELLED
    assert reports == [16, 32, 48]
    assert not ModelVersion.objects.exists()
    assert not CustomBackbone.objects.exists()


@pytest.mark.slow
def test_bar_is_about_the_pictures_that_are_left(slopes: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = prepare(slopes)
    seen = []
    enter = reporting.enter_stage

    def note(held: Job, stage: str, *, total: int = 0) -> None:
        enter(held, stage, total=total)
        seen.append((stage, total, job_progress(held).fraction))

    monkeypatch.setattr(reporting, "enter_stage", note)
    run_job(job.pk)
    assert [stage for stage, _, _ in seen] == ["load", "head", "build", "fine_tune", "convert", "extract", "evaluate"]
    begun = {stage: fraction for stage, _, fraction in seen}
    assert ("fine_tune", 8 * TRAINED_ON, begun["fine_tune"]) in seen
    assert [fraction for _, _, fraction in seen] == sorted(fraction for _, _, fraction in seen)
    Job.objects.filter(pk=job.pk).update(status="RUNNING", finished_at=None, stage="fine_tune", done=48, total=480)
    job.refresh_from_db()
    assert job_progress(job).unit == "pictures"


def test_checkpoint_is_that_of_what_it_trains(filled: Project) -> None:
    prepare(filled)
    version = DatasetVersion.objects.get()
    paths = {
        checkpoints.checkpoint_path(version, TrainConfig(backbone="testing", **{**TUNED, "seed": seed}))
        for seed in (0, 1)
    }
    assert len(paths) == 2


def test_estimate_is_from_the_backbone_until_something_was_measured(slopes: Project) -> None:
    config = TrainConfig(backbone="testing", **TUNED)
    guessed = estimate_tuning(slopes, config)
    assert guessed is not None
    assert (guessed.pictures, guessed.measured) == (TRAINED_ON, False)
    assert guessed.seconds["all"] / guessed.seconds["last"] == pytest.approx(PASSES["all"] / PASSES["last"])
    assert estimate_tuning(slopes, TrainConfig(backbone="inception_v3", fine_tuning="last")) is None
    for extent in PASSES:
        kept = {"depends": f"backbone=testing fine_tuning={extent}", "seconds": 9.0, "rate": 100.0}
        StageTime.objects.create(kind="train", stage="fine_tune", **kept)
    measured = estimate_tuning(slopes, config)
    assert measured is not None
    assert measured.measured
    assert measured.seconds == {"last": pytest.approx(38.4), "all": pytest.approx(38.4)}
    job = request_training(slopes, config, by=slopes.owner, force=True)
    assert job.state["expected"]["fine_tune"] == 8 * TRAINED_ON


def test_page_says_how_long_it_takes(filled: Project, as_owner: Client) -> None:
    page = as_owner.get(reverse("train", args=[filled.slug])).content.decode()
    assert "14 training pictures, shown up to 10\ntimes" in page
    address = reverse("tuning_time", args=[filled.slug])
    told = as_owner.get(address, {"backbone": "testing", "fine_tuning_epochs": "1"}).content.decode()
    assert "14 training pictures, shown up to 1\ntime:" in told
    assert "There is no estimate yet" in as_owner.get(address, {"backbone": "inception_v3"}).content.decode()
    brought = as_owner.get(address, {"backbone": f"net_{20 * 'a'}"}).content.decode()
    assert "not those that users add" in brought
    for wrong in ({"backbone": "<b>"}, {"fine_tuning_epochs": "1000"}, {"fine_tuning_epochs": "x" * 5000}):
        response = as_owner.get(address, wrong)
        assert "no estimate for these settings" in response.content.decode()
        assert response.status_code == 200


def test_form_asks_for_it_and_refuses_beside_the_field(filled: Project, as_owner: Client) -> None:
    address = reverse("train", args=[filled.slug])
    form = {"backbone": "testing", "fine_tuning": "last", "fine_tuning_epochs": "3", "fine_tuning_rate": "0.01"}
    answer = as_owner.post(address, {**form, "fine_tuning_epochs": "101", "force": "1"})
    assert answer.status_code == 422
    assert "fine_tuning_epochs must be a whole number from 1 to 100" in answer.content.decode()
    as_owner.post(address, {**form, "force": "1"})
    assert {name: Job.objects.latest("pk").config[name] for name in TUNED} == {
        "fine_tuning": "last",
        "fine_tuning_epochs": 3,
        "fine_tuning_rate": 0.01,
    }


def test_form_without_it_leaves_its_settings_alone(filled: Project, as_owner: Client) -> None:
    form = {"backbone": "testing", "fine_tuning": "", "fine_tuning_epochs": "101", "force": "1"}
    assert as_owner.post(reverse("train", args=[filled.slug]), form).status_code == 302
    assert "fine_tuning" not in Job.objects.latest("pk").config


def test_custom_backbone_is_refused(filled: Project, as_owner: Client) -> None:
    with pytest.raises(ConfigError, match="Only the backbones that PoetsWeb offers can be fine-tuned") as caught:
        TrainConfig(backbone=f"net_{20 * 'a'}", fine_tuning="all")
    assert caught.value.field == "fine_tuning"
    answer = as_owner.post(
        f"/api/v1/projects/{filled.slug}/train",
        {"backbone": f"net_{20 * 'a'}", "fine_tuning": "all"},
        content_type="application/json",
    )
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("Only the backbones that PoetsWeb offers can be fine-tuned")


@pytest.mark.slow
def test_tuned_network_of_a_version_is_nobodys_backbone(slopes: Project, as_owner: Client) -> None:
    train(slopes)
    body = {"backbone": ModelVersion.objects.get().backbone}
    answer = as_owner.post(f"/api/v1/projects/{slopes.slug}/train", body, content_type="application/json")
    assert answer.json()["error"] == "You have no backbone of this name."
    page = as_owner.get(ModelVersion.objects.get().get_absolute_url()).content.decode()
    assert "Testing (tiny, fixed), fine-tuned" in page
    assert "It helped:" in page
    told = as_owner.get(f"/api/v1/projects/{slopes.slug}/versions/1").json()
    assert told["metrics"]["fine_tuning"]["best_epoch"] >= 1
