"""The pre-flight: why training cannot or should not start, in words."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from classifier import workers
from classifier.models import Job, Project
from classifier.services.training import TrainingRefused, check_training, request_training
from classifier.workers import list_workers, record_worker
from ml.training.config import TrainConfig
from tests.datasets import coloured_pictures
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures

CONFIG = TrainConfig(backbone="testing")


@pytest.fixture(autouse=True)
def _living_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.cache import cache

    cache.clear()
    monkeypatch.setattr(workers, "ALIVE_SECONDS", 3600)  # it says nothing more, however long a test takes
    record_worker("worker@test", ["embed", "ingest", "train"])


def test_ready(filled: Project) -> None:
    preflight = check_training(filled)
    assert (preflight.errors, preflight.warnings, preflight.running) == ([], [], None)


def test_no_pictures(project: Project) -> None:
    assert check_training(project).errors == ["There are no pictures yet. Upload pictures of at least two classes."]


def test_one_class(project: Project) -> None:
    add_pictures(project, coloured_pictures(5, names=("red",)))
    assert "only one class, “red”" in check_training(project).errors[0]


def test_class_of_two(project: Project) -> None:
    add_pictures(project, coloured_pictures(5, names=("red",)) | coloured_pictures(2, names=("blue",)))
    assert "The class “blue” has only 2 pictures. Each class needs at least 3." in check_training(project).errors


def test_a_hundred_times_as_many(project: Project) -> None:
    many = {f"red/{number}.jpg": make_jpeg(number, size=(9, 9)) for number in range(300)}
    add_pictures(project, many | coloured_pictures(3, names=("blue",)))
    preflight = check_training(project)
    assert preflight.errors == []
    assert "“red” has 300 pictures and “blue” only 3" in preflight.warnings[0]


def test_no_worker_alive(filled: Project) -> None:
    from django.core.cache import cache

    cache.clear()
    assert "No worker is running" in check_training(filled).warnings[0]
    record_worker("worker@test", ["ingest", "embed"])  # but none that trains
    assert "No worker is running" in check_training(filled).warnings[0]
    record_worker("trainer@test", ["train"])
    assert check_training(filled).warnings == []
    assert set(list_workers()) == {"worker@test", "trainer@test"}


def test_warnings_refuse_unless_forced(filled: Project) -> None:
    from django.core.cache import cache

    cache.clear()
    with pytest.raises(TrainingRefused, match="No worker is running"):
        request_training(filled, CONFIG, by=filled.owner)
    assert request_training(filled, CONFIG, by=filled.owner, force=True).status == Job.Status.QUEUED


def test_errors_refuse_even_when_forced(project: Project) -> None:
    with pytest.raises(TrainingRefused):
        request_training(project, CONFIG, by=project.owner, force=True)
    assert not Job.objects.filter(kind="train").exists()


def test_second_click_finds_the_first_job(filled: Project, as_owner: Client) -> None:
    job = request_training(filled, CONFIG, by=filled.owner)
    with pytest.raises(TrainingRefused) as refused:
        request_training(filled, CONFIG, by=filled.owner)
    assert refused.value.preflight.running == job
    response = as_owner.post(reverse("train", args=[filled.slug]), {"recipe": "auto"})
    assert response["Location"] == job.get_absolute_url()
    answer = as_owner.post(f"/api/v1/projects/{filled.slug}/train", {}, content_type="application/json")
    assert answer.status_code == 409
    assert answer.json()["job"] == job.pk


def test_one_press_on_the_page_of_the_project_trains_with_the_usual_settings(
    filled: Project, as_owner: Client, settings: Any
) -> None:
    settings.BACKBONE = "mobilenet_v2_1.0_224"
    page = as_owner.get(filled.get_absolute_url()).content.decode()
    assert f'action="{reverse("train", args=[filled.slug])}"' in page
    answer = as_owner.post(reverse("train", args=[filled.slug]), {"usual": "1"})
    job = Job.objects.get(kind="train")
    assert answer["Location"] == job.get_absolute_url()
    assert job.config == TrainConfig(backbone="mobilenet_v2_1.0_224").as_dict()
    assert job.state["promote"] is True
    assert as_owner.post(reverse("train", args=[filled.slug]), {"usual": "1"})["Location"] == answer["Location"]


def test_one_press_leads_to_what_speaks_against_it(project: Project, as_owner: Client) -> None:
    add_pictures(project, {"red/1.jpg": make_jpeg(1)})
    answer = as_owner.post(reverse("train", args=[project.slug]), {"usual": "1"}, follow=True)
    assert answer.redirect_chain == [(reverse("train", args=[project.slug]), 302)]
    assert "There is only one class" in answer.content.decode()
    assert not Job.objects.filter(kind="train").exists()


def test_form_queues_with_its_settings(filled: Project, as_owner: Client) -> None:
    values = {"recipe": "sgd", "steps": "70", "learning_rate": "0.5", "batch_size": "10", "testing_percentage": "20"}
    response = as_owner.post(reverse("train", args=[filled.slug]), values)
    job = Job.objects.get(kind="train")
    assert response["Location"] == job.get_absolute_url()
    assert job.config["steps"] == 70
    assert job.config["learning_rate"] == 0.5
    assert job.config["testing_percentage"] == 20
    assert job.config["validation_percentage"] == 10


def test_form_queues_with_its_augmentation(filled: Project, as_owner: Client) -> None:
    values = {"flip_left_right": "on", "random_crop": "10", "random_brightness": "20", "augmented_copies": "2"}
    as_owner.post(reverse("train", args=[filled.slug]), values)
    config = Job.objects.get(kind="train").config
    assert (config["flip_left_right"], config["random_crop"], config["random_scale"]) == (True, 10, 0)
    assert (config["random_brightness"], config["augmented_copies"]) == (20, 2)


def test_form_as_it_comes_augments_nothing(filled: Project, as_owner: Client) -> None:
    page = as_owner.get(reverse("train", args=[filled.slug]))
    values = {name: field.initial for name, field in page.context["form"].fields.items() if field.initial is not None}
    assert values["augmented_copies"] == 4
    as_owner.post(reverse("train", args=[filled.slug]), {**values, "backbone": "testing"})
    assert Job.objects.get(kind="train").config == CONFIG.as_dict()


def test_api_takes_augmentation(filled: Project, as_owner: Client) -> None:
    body = {"flip_left_right": True, "random_crop": 0, "random_scale": 10}
    answer = as_owner.post(f"/api/v1/projects/{filled.slug}/train", body, content_type="application/json")
    config = Job.objects.get(pk=answer.json()["job"]).config
    assert (config["flip_left_right"], config["random_scale"], config["augmented_copies"]) == (True, 10, 4)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("random_crop", "101", "random_crop must be a whole number from 0 to 100"),
        ("random_scale", "-1", "random_scale must be a whole number from 0 to 100"),
        ("random_brightness", "bright", "whole number"),
        ("augmented_copies", "17", "augmented_copies must be a whole number from 1 to 16"),
        (
            "augmented_copies",
            "8",
            "augmented_copies only has an effect together with one of flip_left_right, random_crop",
        ),
        ("steps", "0", "steps must be a whole number from 1 to 100000"),
        ("learning_rate", "0", "learning_rate must be a number above 0"),
        ("testing_percentage", "90", "testing_percentage must be a whole number from 1 to 45"),
        ("steps", "many", "whole number"),
    ],
)
def test_form_says_what_is_wrong_beside_the_field(
    field: str, value: str, sentence: str, filled: Project, as_owner: Client
) -> None:
    response = as_owner.post(reverse("train", args=[filled.slug]), {"recipe": "sgd", field: value})
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not Job.objects.filter(kind="train").exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"backbone": "resnet"}, "backbone must be one of efficientnet_lite0"),
        ({"recipe": "magic"}, "recipe must be one of auto, sgd"),
        ({"steps": 5}, "together with the recipe 'sgd'"),
        ({"seed": "x"}, "seed must be a whole number"),
        ({"sed": 1}, "sed"),
        ({"flip_left_right": "yes"}, "flip_left_right must be true or false"),
        ({"random_crop": 10.5}, "random_crop must be a whole number from 0 to 100"),
        ({"random_crop": 10, "augmented_copies": 0}, "augmented_copies must be a whole number from 1 to 16"),
        ({"augmented_copies": 2}, "augmented_copies only has an effect together with one of"),
    ],
)
def test_api_says_what_is_wrong(body: dict[str, object], words: str, filled: Project, as_owner: Client) -> None:
    answer = as_owner.post(f"/api/v1/projects/{filled.slug}/train", body, content_type="application/json")
    assert answer.status_code == 422
    assert words in answer.json()["error"]


def test_api_preflight_words(project: Project, as_owner: Client) -> None:
    answer = as_owner.post(f"/api/v1/projects/{project.slug}/train", {}, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("There are no pictures yet.")
