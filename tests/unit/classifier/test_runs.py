"""The table of versions: its columns, orders, curves, names; on a phone a card for each."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import Job, ModelVersion
from tests.unit.classifier.conftest import publish


@pytest.fixture
def three(trained: ModelVersion) -> list[ModelVersion]:
    versions = [trained, publish(trained.project, seed=1), publish(trained.project, seed=2)]
    for version, accuracy in zip(versions, (0.5, 0.9, 0.7), strict=True):
        version.metrics |= {"test_accuracy": accuracy}
        version.save()
    return versions


def table(client: Client, version: ModelVersion, query: str = "") -> str:
    page = client.get(reverse("versions", args=[version.project.slug]) + query)
    assert page.status_code == 200
    return " ".join(page.content.decode().split())


def order(page: str) -> list[int]:
    return [int(part.split('"')[0]) for part in page.split("Select version ")[1:]]


def test_newest_version_comes_first_and_pinned_ones_before(three: list[ModelVersion], as_owner: Client) -> None:
    assert order(table(as_owner, three[0])) == [3, 2, 1]
    ModelVersion.objects.filter(number=1).update(pinned=True)
    assert order(table(as_owner, three[0])) == [1, 3, 2]


def test_columns_and_order_are_those_of_the_address(three: list[ModelVersion], as_owner: Client) -> None:
    page = table(as_owner, three[0], "?column=accuracy&column=settings&sort=-accuracy")
    assert order(page) == [2, 3, 1]
    assert 'aria-sort="descending"' in page
    assert "Seed: 1" in page
    assert "column=accuracy&amp;column=settings&amp;sort=accuracy" in page  # the other way the second time
    assert order(table(as_owner, three[0], "?sort=accuracy")) == [1, 3, 2]
    assert order(table(as_owner, three[0], "?sort=nothing&column=nothing&v=x")) == [3, 2, 1]


def test_what_is_unknown_comes_last_in_either_order(three: list[ModelVersion], as_owner: Client) -> None:
    three[0].metrics |= {"test_accuracy": None}
    three[0].save()
    for sort in ("accuracy", "-accuracy"):
        assert order(table(as_owner, three[0], f"?sort={sort}"))[-1] == 1


def test_curves_of_several_trainings_are_drawn_together(three: list[ModelVersion], as_owner: Client) -> None:
    points = [{"step": step, "validation_accuracy": 0.5 + step / 200, "validation_loss": 1.0} for step in (0, 50, 100)]
    Job.objects.filter(model_version__in=three[:2]).update(curve=points)
    page = table(as_owner, three[0], "?v=1&v=2&v=3")
    assert page.count("<polyline") == 4  # two versions, accuracy and loss
    assert "Version 3 has no curve" in page
    drawn = as_owner.get(
        reverse("versions_table", args=[three[0].project.slug]) + "?table=validation_accuracy&v=1&v=2&as=svg"
    )
    assert drawn.content.decode().count("<polyline") == 2
    nothing = as_owner.get(reverse("versions_table", args=[three[0].project.slug]) + "?table=validation_accuracy")
    assert nothing.status_code == 404


def test_name_note_and_pin_are_kept_and_shown(trained: ModelVersion, as_owner: Client) -> None:
    said = {"name": " with\nglasses ", "note": "Two\nlines ", "pinned": "on"}
    as_owner.post(reverse("version_describe", args=[trained.project.slug, 1]), said)
    trained.refresh_from_db()
    assert (trained.name, trained.note, trained.pinned) == ("with glasses", "Two\nlines", True)
    assert "Version 1 “with glasses”" in table(as_owner, trained)
    assert "Two<br>lines" in as_owner.get(trained.get_absolute_url()).content.decode()
    too_long = as_owner.post(
        reverse("version_describe", args=[trained.project.slug, 1]), {"name": "x" * 101}, follow=True
    )
    assert "at most 100 characters" in too_long.content.decode()


def test_api_changes_only_what_is_said(trained: ModelVersion, as_owner: Client) -> None:
    address = f"/api/v1/projects/{trained.project.slug}/versions/1"

    def patch(body: dict[str, Any]) -> Any:
        return as_owner.patch(address, body, content_type="application/json")

    assert patch({"name": "first", "pinned": True}).json()["name"] == "first"
    told = patch({"note": "good\0"}).json()
    assert (told["name"], told["note"], told["pinned"]) == ("first", "good\ufffd", True)
    assert patch({"pinned": "yes"}).status_code == 422
    assert patch({"nmae": "x"}).status_code == 422


def test_table_can_be_taken_away_without_running_formulas(trained: ModelVersion, as_owner: Client) -> None:
    ModelVersion.objects.update(name="=1+1", note="@x")
    file = as_owner.get(reverse("versions_table", args=[trained.project.slug]))
    assert "'=1+1" in file.content.decode()
    assert "'@x" in file.content.decode()
    (row,) = as_owner.get(reverse("versions_table", args=[trained.project.slug]) + "?as=json").json()["rows"]
    assert (row["version"], row["name"], row["pictures"]) == (1, "=1+1", 18)
