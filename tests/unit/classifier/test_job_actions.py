"""What people do with jobs: stop one and keep the best, try again, take the settings, delete, compare several."""

import time
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.jobs import lifecycle, reporting, sending, wishes
from classifier.jobs.kinds import EMBED, EXPORT, INGEST, TRAIN
from classifier.jobs.results import TrainResult
from classifier.jobs.state import JobState, StoredFile, read_state
from classifier.models import Export, Job, JobLogLine, ModelVersion, Project, Sweep
from classifier.services import job_actions, sweeps
from classifier.services.event_files import event_files_path
from classifier.services.exports import request_export
from classifier.services.job_actions import NotRepeatable, StillOpen
from classifier.services.sweeps import BadSweep, list_configs, request_sweep
from classifier.services.training import TrainingRefused
from ml.training.config import TrainConfig
from ml.training.head import LabelledFeatures
from ml.training.recipes.sgd import SGDSettings, train_sgd
from ml.training.stopping import StopTraining
from tests.unit.classifier.conftest import publish
from worker import run
from worker.progress import TrainingProgress

LOOK_SECONDS = run.LOOK_SECONDS  # before the tests make it longer
SGD = {"backbone": "testing", "recipe": "sgd", "steps": 5000}


def claimed(project: Project, kind: Any = TRAIN, **config: Any) -> Job:
    job = lifecycle.claim_job(sending.queue_job(kind, project=project, by=project.owner, config=config).pk)
    assert job is not None
    return job


# --- stop now, keep the best so far ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "stage", "can"),
    [
        ({"recipe": "sgd"}, "head", True),
        ({"recipe": "auto"}, "head", False),
        ({"recipe": "auto", "fine_tuning": "last"}, "fine_tune", True),
        ({"recipe": "sgd"}, "load", False),
    ],
)
def test_only_what_has_reached_something_can_be_stopped(
    config: dict[str, Any], stage: str, can: bool, project: Project, as_owner: Client
) -> None:
    job = claimed(project, **config)
    reporting.enter_stage(job, stage, total=1000)
    assert wishes.can_stop(job) is can
    assert ("keep the best so" in as_owner.get(job.get_absolute_url()).content.decode()) is can
    assert as_owner.post(f"/api/v1/jobs/{job.pk}/stop").status_code == (200 if can else 409)


def test_wish_reaches_the_worker_and_holds_for_its_stage_only(project: Project, as_owner: Client) -> None:
    job = claimed(project, recipe="sgd", fine_tuning="last")
    progress = TrainingProgress(job)
    progress("head", 0.1)
    as_owner.post(reverse("job_stop", args=[project.slug, job.number]))
    assert not wishes.look_for_wishes(job)
    with pytest.raises(StopTraining):
        progress("head", 0.2)
    assert progress.stopped
    reporting.enter_stage(job, "fine_tune", total=10)
    progress.stop_if_asked()
    assert wishes.can_stop(job)
    assert job.log_lines.filter(text="Asked to stop now and to keep the best so far.").exists()


def test_waiting_or_ended_job_cannot_be_stopped(project: Project) -> None:
    job = sending.queue_job(TRAIN, project=project, by=project.owner, config={"recipe": "sgd"})
    assert not wishes.ask_to_stop(job)
    job = claimed(project, recipe="sgd")
    reporting.enter_stage(job, "head", total=1000)
    lifecycle.cancel_job(job)
    assert not wishes.ask_to_stop(job)


def test_gradient_descent_keeps_the_head_it_has_reached() -> None:
    rng = np.random.default_rng(1)
    data = LabelledFeatures(rng.standard_normal((40, 8)).astype(np.float32), np.arange(40) % 2)
    seen: list[int] = []
    last: list[bool] = []

    def report(stage: str, fraction: float, **point: float) -> None:
        seen.append(int(point["step"]))
        if len(seen) == 3:
            raise StopTraining

    def callback(step: int, head: Any, *, is_last: bool = False, **_: Any) -> None:
        last.append(is_last)

    stopped = train_sgd(data, data, 2, SGDSettings(steps=500), report, callback)
    assert seen == [10, 20, 30]
    assert last == [False, False, True]
    whole = train_sgd(data, data, 2, SGDSettings(steps=30), lambda *_, **__: None, lambda *_, **__: None)
    np.testing.assert_array_equal(stopped.head.weights, whole.head.weights)


def test_stopped_version_is_not_taken_for_that_of_the_whole_training(filled: Project) -> None:
    from classifier.services import datasets, model_versions
    from ml.training.artifacts import Evaluation, pack_artifact
    from ml.training.evaluation import evaluate
    from ml.training.head import Head
    from ml.training.pipeline import Trained

    publish(filled)
    config = TrainConfig(**SGD)
    job = claimed(filled, **config.as_dict())
    version = datasets.freeze_dataset_version(filled, validation_percentage=10, testing_percentage=10, by=None)
    frozen = datasets.load_dataset(version)
    head = Head(np.zeros((4, len(frozen.classes)), np.float32), np.zeros(len(frozen.classes), np.float32))
    labels = frozen.labels("test")
    probabilities = head.probabilities(np.zeros((len(labels), 4), np.float32))
    digest, files = pack_artifact(
        {"classes": frozen.classes}, head, Evaluation(frozen.sha256s("test"), labels, probabilities)
    )
    metrics = evaluate(probabilities, labels, [name for _, name in frozen.classes])
    made = model_versions.publish_model_version(
        job, version, config, Trained(digest, files, metrics), measured={}, stopped=True
    )
    assert made.metrics["stopped_early"] is True
    assert model_versions.find_version(version, config) is None
    job.refresh_from_db()
    assert job.result["stopped_early"] is True


# --- cancelled work stops, whatever it is busy with ------------------------------------------------


def test_work_that_does_not_notice_ends_with_its_process(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = claimed(project)
    ended: list[float] = []
    monkeypatch.setattr(run, "LOOK_SECONDS", LOOK_SECONDS)
    monkeypatch.setattr(run, "_end_process", lambda job: ended.append(time.monotonic()))
    begun = time.monotonic()
    monkeypatch.setattr(wishes, "look_for_wishes", lambda job: True)  # the thread has no part in the transaction
    with run._heartbeat(job, in_pool=True):
        time.sleep(1.8)
    assert ended
    assert ended[0] - begun < 1.7


@pytest.mark.parametrize(("in_pool", "wish"), [(False, True), (True, False)])
def test_process_goes_on_otherwise(
    in_pool: bool, wish: bool, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Job] = []
    monkeypatch.setattr(run, "LOOK_SECONDS", LOOK_SECONDS)
    monkeypatch.setattr(run, "_end_process", ended.append)
    monkeypatch.setattr(wishes, "look_for_wishes", lambda job: wish)
    with run._heartbeat(claimed(project), in_pool=in_pool):
        time.sleep(1.6)
    assert ended == []


def test_worker_sees_what_people_have_done(project: Project) -> None:
    job = claimed(project)
    assert not wishes.look_for_wishes(job)
    (child,) = sending.queue_children(job, EMBED, configs=[{}])
    part = lifecycle.claim_job(child.pk)
    assert part is not None
    lifecycle.cancel_job(job)
    assert wishes.look_for_wishes(job)
    assert wishes.look_for_wishes(part)
    Job.objects.filter(pk=job.pk).delete()
    assert wishes.look_for_wishes(job)


# --- try again, take the settings ------------------------------------------------------------------


def end(job: Job) -> Job:
    lifecycle.fail_job(job.pk, sentence="It broke.")
    job.refresh_from_db()
    return job


def test_training_is_tried_again_with_its_settings(filled: Project, as_owner: Client) -> None:
    config = TrainConfig(**SGD).as_dict()
    first = sending.queue_job(TRAIN, project=filled, by=filled.owner, config=config, state=JobState(promote=True))
    page = as_owner.post(reverse("job_retry", args=[filled.slug, end(first).number]))
    second = Job.objects.latest("pk")
    assert page["Location"] == second.get_absolute_url()
    assert (second.config, second.state["promote"], second.status) == (config, True, Job.Status.QUEUED)
    again = as_owner.post(reverse("job_retry", args=[filled.slug, first.number]))
    assert again["Location"] == second.get_absolute_url(), "it leads to the training that runs"
    answer = as_owner.post(f"/api/v1/jobs/{first.pk}/retry")
    assert (answer.status_code, answer.json()["job"]) == (409, second.pk)


def test_export_is_tried_again(trained: ModelVersion, as_owner: Client) -> None:
    first = request_export(trained, "tflite", by=trained.project.owner)
    lifecycle.cancel_job(first)
    answer = as_owner.post(f"/api/v1/jobs/{first.pk}/retry")
    assert answer.status_code == 202
    second = Job.objects.get(pk=answer.json()["job"])
    assert (second.kind, second.config["format"]) == (EXPORT.name, "tflite")
    assert Export.objects.get().job == second


def test_what_cannot_be_tried_again_is_told(project: Project, as_owner: Client) -> None:
    with pytest.raises(StillOpen):
        job_actions.retry_job(claimed(project), by=project.owner)
    reading = end(claimed(project, INGEST))
    assert not job_actions.can_retry(reading)
    with pytest.raises(NotRepeatable, match="Send it again"):
        job_actions.retry_job(reading, by=project.owner)
    export = end(claimed(project, EXPORT, export=99))
    page = as_owner.post(reverse("job_retry", args=[project.slug, export.number]), follow=True)
    assert "The version of this export is no longer there." in page.content.decode()
    done = claimed(project)
    lifecycle.finish_job(done)
    done.refresh_from_db()
    with pytest.raises(NotRepeatable, match="has succeeded"):
        job_actions.retry_job(done, by=project.owner)


def test_form_is_filled_with_the_settings_of_an_earlier_training(filled: Project, as_owner: Client) -> None:
    config = TrainConfig(backbone="testing", recipe="sgd", steps=123, flip_left_right=True, random_crop=7).as_dict()
    job = end(claimed(filled, **config))
    page = as_owner.get(job.get_absolute_url()).content.decode()
    query = job_actions.settings_query(job)
    assert query.replace("&", "&amp;") in page
    form = as_owner.get(f"{reverse('train', args=[filled.slug])}?{query}").content.decode()
    assert 'name="steps" value="123"' in form
    assert 'name="random_crop" value="7"' in form
    assert "those of the earlier training" in form
    assert job_actions.settings_query(claimed(filled, EXPORT)) == ""
    odd = as_owner.get(f"{reverse('train', args=[filled.slug])}?steps=<b>&promote=&backbone=nowhere")
    assert odd.status_code == 200
    assert "<b>" not in odd.content.decode()


# --- delete ----------------------------------------------------------------------------------------


def test_ended_job_is_deleted_with_its_log_and_files_but_not_what_it_made(
    trained: ModelVersion, as_owner: Client, django_capture_on_commit_callbacks: Any
) -> None:
    job = trained.job
    assert job is not None
    path = event_files_path(read_state(job).event_files.sha256)  # type: ignore[union-attr]
    assert default_storage.exists(path)
    with django_capture_on_commit_callbacks(execute=True):
        page = as_owner.post(reverse("job_delete", args=[trained.project.slug, job.number]), follow=True)
    assert "What it made is kept" in page.content.decode()
    assert not Job.objects.filter(pk=job.pk).exists()
    assert not JobLogLine.objects.filter(job=job.pk).exists()
    assert not default_storage.exists(path)
    assert as_owner.get(trained.get_absolute_url()).status_code == 200


def test_files_that_another_job_has_too_stay(project: Project, django_capture_on_commit_callbacks: Any) -> None:
    stored = StoredFile(sha256="a" * 64, size=1)
    default_storage.save(event_files_path(stored.sha256), ContentFile(b"x"))
    first, second = claimed(project), claimed(project)
    for job in (first, second):
        reporting.update_state(job, event_files=stored)
        lifecycle.cancel_job(job)
    for job, stays in ((first, True), (second, False)):
        with django_capture_on_commit_callbacks(execute=True):
            job_actions.delete_job(job)
        assert default_storage.exists(event_files_path(stored.sha256)) is stays


def test_open_job_is_not_deleted(project: Project, as_owner: Client) -> None:
    job = claimed(project)
    assert as_owner.delete(f"/api/v1/jobs/{job.pk}").status_code == 409
    lifecycle.cancel_job(job)
    assert as_owner.delete(f"/api/v1/jobs/{job.pk}").status_code == 204
    assert as_owner.get(f"/api/v1/jobs/{job.pk}").status_code == 404


# --- several at once -------------------------------------------------------------------------------


def test_combinations_are_made_once_each_and_without_what_has_no_effect() -> None:
    configs = list_configs({"backbone": ["testing"], "recipe": ["auto", "sgd"], "learning_rate": [0.1, 0.01]})
    assert [(one.recipe, one.learning_rate) for one in configs] == [("auto", 0.01), ("sgd", 0.1), ("sgd", 0.01)]
    assert len(list_configs({"fine_tuning": ["", "last"], "fine_tuning_rate": [0.001, 0.01]})) == 3


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"seed": list(range(21))}, "21 trainings; at most 20"),
        ({"seed": list(range(200)), "steps": list(range(1, 200))}, "39800 trainings"),
        ({"seed": [1]}, "a single training"),
        ({"recipe": ["auto"], "learning_rate": [0.1, 0.2]}, "a single training"),
        ({"seed": []}, "at least one value of seed"),
    ],
)
def test_what_cannot_be_compared_is_told(values: dict[str, Any], why: str) -> None:
    with pytest.raises(BadSweep, match=why):
        list_configs(values)


def test_sweep_queues_its_trainings_once(filled: Project, owner: User) -> None:
    sweep = request_sweep(filled, {"backbone": ["testing"], "seed": [1, 2, 3]}, by=owner, force=True)
    assert [job.config["seed"] for job in sweep.jobs.order_by("pk")] == [1, 2, 3]
    assert sweep.varied == {"seed": [1, 2, 3]}
    with pytest.raises(TrainingRefused):
        request_sweep(filled, {"backbone": ["testing"], "seed": [4, 5]}, by=owner, force=True)
    assert Sweep.objects.count() == 1
    assert sweeps.cancel_sweep(sweep) == 3


def test_table_marks_the_best_and_of_equal_ones_the_quickest(filled: Project, as_owner: Client) -> None:
    sweep = request_sweep(filled, {"backbone": ["testing"], "seed": [1, 2, 3]}, by=filled.owner, force=True)
    version = publish(filled, seed=9)
    jobs = list(sweep.jobs.order_by("pk"))
    for job, seconds in zip(jobs[:2], (60, 5), strict=True):
        held = lifecycle.claim_job(job.pk)
        assert held is not None
        lifecycle.finish_job(held, TrainResult(model_version=version.number, unchanged=True))
        Job.objects.filter(pk=job.pk).update(started_at=timezone.now() - timezone.timedelta(seconds=seconds))
    results = sweeps.list_results(sweep)
    assert [result.is_best for result in results] == [False, True, False]
    page = as_owner.get(sweep.get_absolute_url()).content.decode()
    assert page.count("Best</span>") == 1
    assert f"version {version.number}" in page
    told = as_owner.get(f"/api/v1/projects/{filled.slug}/sweeps/1").json()
    assert [result["best"] for result in told["results"]] == [False, True, False]
    assert told["results"][1]["interval"][0] <= told["results"][1]["accuracy"]
    assert told["results"][2]["model_version"] is None


def test_form_takes_several_values(filled: Project, as_owner: Client) -> None:
    address = reverse("sweeps", args=[filled.slug])
    page = as_owner.get(address).content.decode()
    assert 'name="learning_rate" value="0.01"' in page
    form = {
        "backbone": ["testing"],
        "recipe": ["auto", "sgd"],
        "learning_rate": "0.1, 0.01",
        "steps": "50",
        "force": "1",
    }
    answer = as_owner.post(address, form)
    sweep = Sweep.objects.get()
    assert answer["Location"] == sweep.get_absolute_url()
    assert sweep.jobs.count() == 3
    assert as_owner.get(sweep.get_absolute_url()).content.decode().count("<tr data-job") == 3
    as_owner.post(reverse("sweep_cancel", args=[filled.slug, 1]))
    assert not sweep.jobs.filter(status__in=Job.OPEN).exists()
    for wrong, why in (
        ({"seed": "1, x"}, "whole numbers"),
        ({"seed": "1"}, "single training"),
        ({"steps": "0,5", "recipe": "sgd"}, "steps must be"),
    ):
        answer = as_owner.post(address, {"backbone": ["testing"], "recipe": ["auto"], **wrong})
        assert answer.status_code == 422
        assert why in answer.content.decode()


def test_api_refuses_what_it_does_not_know(filled: Project, as_owner: Client) -> None:
    address = f"/api/v1/projects/{filled.slug}/sweeps"

    def start(settings: Any) -> Any:
        return as_owner.post(address, {"settings": settings, "force": True}, content_type="application/json")

    assert start({"sead": [1, 2]}).status_code == 422
    assert start({"seed": [1, "x"]}).status_code == 422
    assert start({"seed": 5}).status_code == 422
    made = start({"backbone": ["testing"], "seed": [1, 2]})
    assert made.status_code == 202
    assert [result["settings"] for result in made.json()["results"]] == [{"seed": 1}, {"seed": 2}]
    assert as_owner.post(f"{address}/1/cancel").json()["results"][0]["job"]["status"] == "CANCELLED"
    assert len(as_owner.get(address).json()) == 1


@pytest.mark.parametrize("rates", ["[NaN, 1]", "[Infinity, 1]", '["\\u0000", {"a": 1}]'])
def test_sweep_keeps_no_value_that_nobody_checked(rates: str, filled: Project, as_owner: Client) -> None:
    settings = f'{{"backbone": ["testing"], "seed": [1, 2], "recipe": ["auto"], "learning_rate": {rates}}}'
    body = f'{{"settings": {settings}, "force": true}}'
    made = as_owner.post(f"/api/v1/projects/{filled.slug}/sweeps", body, content_type="application/json")
    assert made.status_code == 202
    assert Sweep.objects.get().varied == {"seed": [1, 2]}


def test_form_with_numbers_that_are_none_for_settings_without_effect(filled: Project, as_owner: Client) -> None:
    form = {"backbone": ["testing"], "recipe": ["auto"], "seed": "1,2", "fine_tuning_rate": "inf,nan", "force": "1"}
    assert as_owner.post(reverse("sweeps", args=[filled.slug]), form).status_code == 302
    assert Sweep.objects.get().varied == {"seed": [1, 2]}


def test_stopped_training_is_not_cross_validated(project: Project) -> None:
    job = claimed(project, recipe="sgd")
    progress = TrainingProgress(job)
    progress("head", 0.1)
    progress("evaluate", 0.5)
    progress.stopped = True
    progress("evaluate", 0.0)
    with pytest.raises(StopTraining):
        progress("evaluate", 0.1)
