"""Work that people stop: with what it has reached, or by cancelling it."""

import time
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from classifier.jobs import lifecycle, reporting, sending, wishes
from classifier.jobs.kinds import EMBED, TRAIN
from classifier.models import Job, Project
from ml.training.config import TrainConfig
from ml.training.head import LabelledFeatures
from ml.training.recipes.sgd import SGDSettings, train_sgd
from ml.training.stopping import StopTraining
from tests.unit.classifier.conftest import claim_new, publish
from worker import run
from worker.progress import TrainingProgress

LOOK_SECONDS = run.LOOK_SECONDS  # before the tests make it longer
SGD = {"backbone": "testing", "recipe": "sgd", "steps": 5000}


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
    job = claim_new(project, **config)
    reporting.enter_stage(job, stage, total=1000)
    assert wishes.can_stop(job) is can
    assert ("keep the best so" in as_owner.get(job.get_absolute_url()).content.decode()) is can
    assert as_owner.post(f"/api/v1/jobs/{job.pk}/stop").status_code == (200 if can else 409)


def test_wish_reaches_the_worker_and_holds_for_its_stage_only(project: Project, as_owner: Client) -> None:
    job = claim_new(project, recipe="sgd", fine_tuning="last")
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
    job = claim_new(project, recipe="sgd")
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
    job = claim_new(filled, **config.as_dict())
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


def test_stopped_training_is_not_cross_validated(project: Project) -> None:
    job = claim_new(project, recipe="sgd")
    progress = TrainingProgress(job)
    progress("head", 0.1)
    progress("evaluate", 0.5)
    progress.stopped = True
    progress("evaluate", 0.0)
    with pytest.raises(StopTraining):
        progress("evaluate", 0.1)


def test_work_that_does_not_notice_ends_with_its_process(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = claim_new(project)
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
    with run._heartbeat(claim_new(project), in_pool=in_pool):
        time.sleep(1.6)
    assert ended == []


def test_worker_sees_what_people_have_done(project: Project) -> None:
    job = claim_new(project)
    assert not wishes.look_for_wishes(job)
    (child,) = sending.queue_children(job, EMBED, configs=[{}])
    part = lifecycle.claim_job(child.pk)
    assert part is not None
    lifecycle.cancel_job(job)
    assert wishes.look_for_wishes(job)
    assert wishes.look_for_wishes(part)
    Job.objects.filter(pk=job.pk).delete()
    assert wishes.look_for_wishes(job)
