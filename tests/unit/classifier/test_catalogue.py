"""The backbones one can choose from: on the page, over the API, by name."""

import json
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from classifier import catalogue
from classifier.models import Job, ModelVersion, Project
from ml.backbones.registry import get_backbone
from ml.backbones.weights import WeightsMissing
from ml.engines.conversion import converted_path, record_path
from ml.engines.speed import ensure_speed
from poetsweb.folders import ML
from tests.pictures import make_jpeg

BUNDLED = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "mobilenet_v2_1.0_224", "best_quality"]


@pytest.fixture(autouse=True)
def _own_backbones(settings: Any, tmp_path: Path) -> None:
    settings.ML = replace(settings.ML, backbones_dir=tmp_path / "backbones")


def test_bundled_ones_are_listed_with_what_is_known_of_them(as_owner: Client) -> None:
    listed = {one["name"]: one for one in as_owner.get("/api/v1/backbones").json() if one["bundled"]}
    assert list(listed) == [*BUNDLED, "testing"]  # the last because it is this site's default
    assert [one["input_size"] for one in listed.values()] == [224, 240, 260, 224, 224, 32]
    assert all(one["licence"] and one["source"] and len(one["digest"]) == 64 for one in listed.values())
    assert not any(one["ready"] or one["images_per_second"] or one["file_bytes"] for one in listed.values())


def test_ready_one_shows_its_measured_speed(settings: Any, backbones: Path, filled: Project, as_owner: Client) -> None:
    shutil.copytree(backbones, settings.ML.backbones_dir)
    path = converted_path(get_backbone("testing", ML), settings.ML.backbones_dir)
    ensure_speed(path)
    record = json.loads(record_path(path).read_text())
    record_path(path).write_text(json.dumps({**record, "images_per_second": 1234.4}))
    (listed,) = [one for one in catalogue.list_backbones(filled.owner) if one.ready]
    assert (listed.name, listed.default, listed.images_per_second) == ("testing", True, 1234.4)
    assert listed.file_bytes == path.stat().st_size
    page = as_owner.get(reverse("train", args=[filled.slug])).content.decode()
    assert "1,234 pictures per second on this machine" in page
    assert page.count("· speed measured the first time you train with it") == len(BUNDLED)
    assert "BSD-3-Clause" in page


def test_weights_that_are_not_installed_do_not_break_the_page(
    filled: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> Path:
        raise WeightsMissing("Install the package.")

    monkeypatch.setattr(catalogue, "converted_path", missing)
    assert as_owner.get(reverse("train", args=[filled.slug])).status_code == 200
    assert {one["digest"] for one in as_owner.get("/api/v1/backbones").json()} == {""}


@pytest.mark.parametrize("name", BUNDLED)
def test_training_is_queued_with_the_chosen_one(name: str, filled: Project, as_owner: Client) -> None:
    as_owner.post(reverse("train", args=[filled.slug]), {"backbone": name, "force": "1"})
    assert Job.objects.get(kind="train").config["backbone"] == name


def test_nobody_signed_in_sees_no_list(client: Client) -> None:
    assert client.get("/api/v1/backbones").status_code == 401


def test_others_say_that_they_are_downloaded(filled: Project, as_owner: Client) -> None:
    listed = {one["name"]: one for one in as_owner.get("/api/v1/backbones").json() if not one["bundled"]}
    assert {"inception_v3", "mobilenet_0.50_224", "resnet50"} <= set(listed)
    assert listed["inception_v3"]["digest"] == ""
    page = as_owner.get(reverse("train", args=[filled.slug])).content.decode()
    assert "More backbones, downloaded when first used" in page
    others = page[page.index("More backbones") :]
    assert others.count('name="backbone"') == len(listed)
    assert "MobileNet 0.50 (224) · 224 × 224 pixels · 512 features · Apache-2.0" in others


def test_chosen_one_is_not_hidden_among_the_others(filled: Project, as_owner: Client) -> None:
    given = {"backbone": "inception_v3", "validation_percentage": "99"}
    page = as_owner.post(reverse("train", args=[filled.slug]), given).content.decode()
    assert page.index('value="inception_v3"') < page.index("More backbones")


def test_version_whose_weights_cannot_be_had_answers_with_a_sentence(
    trained: ModelVersion, as_owner: Client, settings: Any, tmp_path: Path
) -> None:
    nobody = "http://127.0.0.1:1"
    settings.ML = replace(settings.ML, weights_dir=tmp_path / "weights", weights_url=nobody)
    ModelVersion.objects.filter(pk=trained.pk).update(backbone="xception")
    slug = trained.project.slug
    answer = as_owner.post(f"/api/v1/projects/{slug}/classify", {"image": BytesIO(make_jpeg(1))})
    assert answer.status_code == 503
    assert "could not be downloaded" in answer.json()["error"]
    page = as_owner.post(reverse("classify", args=[slug]), {"image": BytesIO(make_jpeg(1))})
    assert page.status_code == 503
    assert "could not be downloaded" in page.content.decode()
