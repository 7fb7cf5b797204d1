"""How long a job still takes: from what its stages took before, and never a figure that stands still."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from classifier.jobs import lifecycle, reporting, sending
from classifier.jobs.kinds import EXPORT, KINDS, TRAIN
from classifier.jobs.progress import Forecast, job_progress, stretch
from classifier.jobs.stage_times import StageTimes
from classifier.jobs.state import JobState
from classifier.models import Job, Project, StageTime
from classifier.services.estimates import foresee_training
from ml.training.config import TrainConfig

CONFIG = {"backbone": "testing", "recipe": "auto"}
NOW = timezone.now()


def running(kind: str = "train", *, ago: float = 0, reported: float | None = None, **values: Any) -> Job:
    """Return a job in a stage that began so many seconds ago; nothing of it is in the database."""
    begun = NOW - timedelta(seconds=ago)
    told = begun if reported is None else NOW - timedelta(seconds=reported)
    fields: dict[str, Any] = {"config": CONFIG, "status": Job.Status.RUNNING, "started_at": begun, **values}
    return Job(kind=kind, stage_started_at=begun, progress_at=told, **fields)


def left(job: Job, now: datetime = NOW) -> float:
    found = Forecast(job, StageTimes([job.kind]), now).seconds_left()
    assert found is not None
    return found


def keep(stage: str, seconds: float, *, kind: str = "train", **values: Any) -> None:
    StageTime.objects.create(kind=kind, stage=stage, seconds=seconds, **values)


def only(*names: str) -> dict[str, Any]:
    """Return a state that expects nothing in any other stage."""
    return {"expected": {stage.name: 0 for stage in TRAIN.stages if stage.name not in names}}


def test_first_guess_is_there_before_anything_is_measured(db: None) -> None:
    for kind in KINDS.values():
        for stage in kind.stages_of(CONFIG):
            assert left(running(kind.name, stage=stage.name, total=100)) > 0, f"{kind.name} {stage.name}"


def test_uneven_steps_count_for_less_than_the_time_that_has_gone_by(db: None) -> None:
    """The first penalties take less time than the later ones, and the last are often not tried at all."""
    keep("head", 10.0, depends="cold= recipe=auto")
    quick = left(running(stage="head", total=1000, done=600, ago=4, reported=0, state=only("head")))
    assert quick == pytest.approx(6.0, abs=1.2)
    slow = left(running(stage="head", total=1000, done=200, ago=9.5, reported=0, state=only("head")))
    assert 1.0 < slow < 12.0, "more is left than time alone would say"


def test_even_steps_are_believed_where_there_are_many_more_than_the_last_time(db: None) -> None:
    keep("head", 2.0, depends="cold= recipe=sgd")
    values = {"config": {**CONFIG, "recipe": "sgd"}, "state": only("head")}
    assert left(running(stage="head", total=4000, done=1000, ago=10, reported=0, **values)) > 15


def test_later_stages_count_with_what_they_took_before(db: None) -> None:
    keep("head", 7.0, depends="cold= recipe=auto")
    keep("evaluate", 2.0, depends="fine_tuning= recipe=auto")
    assert left(running(stage="load", total=1, state=only("head", "evaluate"))) == pytest.approx(9.0, abs=0.5)


def test_stage_with_nothing_to_do_counts_nothing(db: None) -> None:
    keep("embed", 500.0, kind="", depends="backbone=testing", rate=1.0)
    assert left(running(stage="prepare", total=1, state=only("prepare"))) == pytest.approx(30.0)


def test_stage_that_knows_its_units_counts_them(db: None) -> None:
    keep("embed", 3.0, kind="", depends="backbone=testing", rate=50.0)
    state = {"expected": {**only("prepare")["expected"], "embed": 1000}}
    assert left(running(stage="prepare", total=1, state=state)) == pytest.approx(30.0 + 20.0)


def test_rate_of_another_backbone_is_not_taken(db: None) -> None:
    keep("embed", 3.0, kind="", depends="backbone=inception_v3", rate=1.0)
    assert left(running(stage="embed", total=600, state=only("embed"))) == pytest.approx(10.0)


def test_time_without_units_is_taken_from_what_is_most_like_it(db: None) -> None:
    keep("build", 40.0, kind="export", depends="format=saved_model backbone=testing")
    keep("build", 5.0, kind="export", depends="format=tflite backbone=other")
    job = running("export", stage="build", total=1, config={"format": "tflite", "backbone": "testing"})
    job.state = {"expected": {"load": 0, "check": 0}}
    assert left(job) in (pytest.approx(5.0), pytest.approx(40.0))
    keep("build", 6.0, kind="export", depends="format=tflite backbone=testing")
    assert left(job) == pytest.approx(6.0)


def test_more_pictures_take_longer_where_no_unit_tells(db: None) -> None:
    keep("head", 2.0, depends="cold= recipe=auto", size=(1000).bit_length())
    few, many = ({**only("head"), "pictures": count} for count in (1000, 16_000))
    assert left(running(stage="head", total=1000, state=few)) == pytest.approx(2.0)
    assert left(running(stage="head", total=1000, state=many)) == pytest.approx(8.0)


def test_own_machine_goes_before_another(db: None) -> None:
    keep("head", 2.0, depends="cold= recipe=auto", machine="slow")
    keep("head", 1.0, depends="cold= recipe=auto", machine="fast")
    job = running(stage="head", total=1000, state=only("head"))
    for name, seconds in (("slow", 2.0), ("fast", 1.0)):
        job.worker = f"trainer@{name}"
        assert left(job) == pytest.approx(seconds)


def test_live_rate_counts_more_the_further_the_stage_is(db: None) -> None:
    keep("embed", 3.0, kind="", depends="backbone=testing", rate=100.0)
    early = left(running(stage="embed", total=1000, done=10, ago=1, reported=0, state=only("embed")))
    late = left(running(stage="embed", total=1000, done=800, ago=80, reported=0, state=only("embed")))
    assert 10 < early < 20, "ten a second so far, a hundred usually"
    assert late == pytest.approx(20.0, rel=0.25)


def test_waiting_job_has_no_figure(db: None) -> None:
    assert Forecast(running(stage="embed", waits_for="the database"), StageTimes(["train"])).seconds_left() is None
    waiting = running()
    waiting.status = Job.Status.QUEUED
    assert Forecast(waiting, StageTimes(["train"])).seconds_left() is None
    assert Forecast(waiting, StageTimes(["train"])).seconds_in_all() > 0


@given(usual=st.floats(0, 600), since=st.floats(0, 3000))
def test_figure_never_stands_still_for_three_seconds(usual: float, since: float) -> None:
    """The page shows whole seconds, and by how many whole seconds a stage is late."""
    seconds = [since + step / 10 for step in range(31)]
    assert len({round(stretch(usual, at), 1) for at in seconds}) > 5
    assert len({(max(1, round(stretch(usual, at))), max(0, int(at - usual))) for at in seconds}) > 1


def test_overdue_stage_says_so_and_grows(db: None) -> None:
    keep("head", 2.0, depends="cold= recipe=auto")
    job = running(stage="head", total=1000, ago=60, state=only("head"))
    seconds = [left(job, NOW + timedelta(seconds=3 * step)) for step in range(10)]
    assert all(after - before >= 1 for before, after in pairwise(seconds))
    assert Forecast(job, StageTimes(["train"]), NOW).late_by() == pytest.approx(58)
    assert Forecast(running(stage="head", ago=1, state=only("head")), StageTimes(["train"]), NOW).late_by() is None


def finish_export(project: Project, seconds: float, **changes: Any) -> Job:
    """Let an export succeed that built for so many seconds and checked a hundred pictures for five."""
    config = {"format": "tflite", "backbone": "testing"}
    job = lifecycle.claim_job(sending.queue_job(EXPORT, project=project, by=project.owner, config=config).pk)
    assert job is not None
    job.worker = "trainer@here"
    reporting.enter_stage(job, "build", total=1)
    job.stage_started_at = timezone.now() - timedelta(seconds=seconds)
    reporting.enter_stage(job, "check", total=100)
    reporting.report(job, done=100)
    job.stage_started_at = timezone.now() - timedelta(seconds=5)
    for name, value in changes.items():
        setattr(job, name, value)
    lifecycle.finish_job(job)
    return job


def test_stages_are_measured_when_a_job_succeeds(project: Project) -> None:
    finish_export(project, 8)
    build = StageTime.objects.get(stage="build")
    assert (build.kind, build.depends) == ("export", "format=tflite backbone=testing")
    assert (build.machine, build.seconds, build.rate) == ("here", pytest.approx(8, abs=0.2), None)
    assert StageTime.objects.get(stage="check").rate == pytest.approx(20, rel=0.1)
    finish_export(project, 4)
    build.refresh_from_db()
    assert (build.seconds, build.count) == (pytest.approx(6, abs=0.2), 2)


def test_stage_that_tells_its_units_only_beforehand_has_a_rate(project: Project) -> None:
    finish_export(project, 8, done=0)
    assert StageTime.objects.get(stage="check").rate == pytest.approx(20, rel=0.1)


def test_stage_that_was_left_out_counts_as_nothing_in_the_mean(project: Project) -> None:
    job = lifecycle.claim_job(sending.queue_job(EXPORT, project=project, by=project.owner).pk)
    assert job is not None
    reporting.enter_stage(job, "build", total=1)
    lifecycle.finish_job(job)
    assert StageTime.objects.get(stage="check").seconds == 0


def test_mean_forgets(project: Project) -> None:
    for seconds in (100, *[10] * 12):
        finish_export(project, seconds)
    assert StageTime.objects.get(stage="build").seconds == pytest.approx(10, abs=2)


@pytest.mark.parametrize("changes", [{"worker_deaths": 1}, {"state": {"pauses": 1}}])
def test_what_was_broken_off_is_not_measured(project: Project, changes: dict[str, Any]) -> None:
    finish_export(project, 8, **changes)
    assert not StageTime.objects.exists()


def test_cancelled_job_is_not_measured(project: Project) -> None:
    job = lifecycle.claim_job(sending.queue_job(EXPORT, project=project, by=project.owner).pk)
    assert job is not None
    reporting.enter_stage(job, "build", total=1)
    lifecycle.cancel_job(job)
    assert not StageTime.objects.exists()


def test_rate_is_that_until_the_last_report(project: Project) -> None:
    job = running(stage="embed", total=100, done=50, ago=10, reported=5)
    assert job_progress(job).rate == pytest.approx(10)


def test_training_foresees_what_is_missing(filled: Project) -> None:
    work = foresee_training(filled, TrainConfig(backbone="testing"))
    assert (work.state.pictures, work.missing) == (18, 18)
    assert work.state.expected["embed"] == work.state.expected["compare"] == 18
    assert work.seconds is not None
    filled.samples.update(is_compared=True)
    assert foresee_training(filled, TrainConfig(backbone="testing")).state.expected["embed_more"] == 18
    augmented = foresee_training(filled, TrainConfig(backbone="testing", random_crop=5, augmented_copies=2))
    assert augmented.state.expected["embed_copies"] == 18 + 2 * 14


def test_training_foresees_nothing_missing_where_all_is_kept(filled: Project) -> None:
    from tests.unit.classifier.conftest import store_fake_embeddings

    store_fake_embeddings(filled)
    filled.samples.update(is_compared=True)
    work = foresee_training(filled, TrainConfig(backbone="testing"))
    assert work.missing == 0
    assert {work.state.expected[name] for name in ("fetch", "prepare", "embed", "embed_more", "compare")} == {0}


def test_splits_foreseen_count_what_is_dealt_and_a_share_of_the_rest(filled: Project) -> None:
    config = TrainConfig(backbone="testing", testing_percentage=20)
    assert foresee_training(filled, config).splits == {"training": 12, "validation": 2, "test": 4}
    dealt = list(filled.samples.order_by("pk").values_list("pk", flat=True)[:8])
    filled.samples.filter(pk__in=dealt).update(split="test")
    assert foresee_training(filled, config).splits == {"training": 7, "validation": 1, "test": 10}


def test_splits_foreseen_take_what_is_missing_from_what_was_given_for_training(filled: Project) -> None:
    filled.samples.update(split="training", split_is_given=True)
    config = TrainConfig(backbone="testing", testing_percentage=20)
    assert foresee_training(filled, config).splits == {"training": 12, "validation": 2, "test": 4}
    filled.samples.update(split_is_given=False)
    assert foresee_training(filled, config).splits == {"training": 18, "validation": 0, "test": 0}


def test_page_tells_what_training_does_and_for_how_long(filled: Project, as_owner: Client) -> None:
    page = as_owner.get(reverse("train", args=[filled.slug])).content.decode()
    assert "looks at\n    your 18 pictures" in page
    assert "learns your 3 classes from about\n    14 pictures" in page
    assert "This takes about <strong>" in page or "not known yet" in page
    address = reverse("training_plan", args=[filled.slug])
    form = {"backbone": "testing", "recipe": "auto", "random_crop": "5", "fine_tuning": "last", "augmented_copies": "2"}
    told = as_owner.get(address, form).content.decode()
    assert "2 changed copies" in told
    assert "The network itself learns" in told
    assert "nothing can be said" in as_owner.get(address, {"steps": "<b>", "recipe": "sgd"}).content.decode()


def test_backbone_that_is_not_here_has_no_estimate(filled: Project) -> None:
    work = foresee_training(filled, TrainConfig(backbone="inception_v3"))
    assert (work.missing, work.seconds) == (18, None)


def test_state_of_a_waiting_job_can_be_read(filled: Project) -> None:
    state = foresee_training(filled, TrainConfig(backbone="testing")).state
    assert JobState.model_validate(state.model_dump(mode="json")) == state
