"""A training setting is written once: form, API, description and command line derive from it."""

import json
from argparse import ArgumentParser
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pydantic.fields import FieldInfo

from classifier.models import Project
from ml.cli.flags import add_retrain_flags
from ml.training.config import TrainConfig
from ml.training.setting import extra_of
from tests.unit.classifier.test_openapi import description

FIELDS = TrainConfig.model_fields
NUMBERS = {name: field for name, field in FIELDS.items() if field.annotation in (int, float)}


@pytest.fixture
def page(filled: Project, as_owner: Client) -> str:
    return as_owner.get(reverse("train", args=[filled.slug])).content.decode()


def test_each_setting_has_a_label_and_a_help() -> None:
    for name, field in FIELDS.items():
        assert field.title, name
        assert field.description, name


@pytest.mark.parametrize("name", FIELDS)
def test_setting_is_on_the_form(name: str, page: str) -> None:
    assert f'name="{name}"' in page
    assert str(FIELDS[name].title) in page


def settings_in_description() -> dict[str, Any]:
    return dict(json.loads(description())["components"]["schemas"]["TrainIn"]["properties"])


@pytest.mark.parametrize("name", FIELDS)
def test_setting_is_in_the_description_of_the_api(name: str) -> None:
    described = settings_in_description()[name]
    assert described["description"] == FIELDS[name].description
    assert described["default"] == FIELDS[name].default


@pytest.mark.parametrize(("name", "field"), NUMBERS.items(), ids=NUMBERS)
def test_number_has_its_bounds_everywhere(name: str, field: FieldInfo, page: str, as_owner: Client) -> None:
    described = settings_in_description()[name]
    assert {"minimum", "exclusiveMinimum"} & described.keys()
    assert "maximum" in described
    answer = as_owner.post(
        "/api/v1/projects/colours/train", {name: described["maximum"] + 1}, content_type="application/json"
    )
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(f"{name} must be ")


def test_setting_with_a_flag_is_on_the_command_line() -> None:
    parser = ArgumentParser()
    add_retrain_flags(parser)
    flags = parser.parse_args(["--image_dir", "photos"])
    for name, field in FIELDS.items():
        if flag := extra_of(field).get("flag"):
            assert getattr(flags, flag) == extra_of(field).get("flag_default", field.default), name
