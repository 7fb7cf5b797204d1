"""Sweeps: several trainings at once, whose results are compared."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.jobs import lifecycle
from classifier.jobs.results import TrainResult
from classifier.models import Job, Project, Sweep
from classifier.services import sweeps
from classifier.services.sweeps import BadSweep, list_configs, request_sweep
from classifier.services.training import TrainingRefused
from tests.unit.classifier.conftest import publish


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
