"""The settings of a class on its page and over the API."""

from typing import Any

from django.test import Client

from classifier.models import Project
from classifier.selectors import list_classes
from classifier.services.projects import create_project, get_or_create_class
from tests.unit.classifier.test_classes import names, of


def test_settings_page(filled: Project, as_owner: Client) -> None:
    red = of(filled, "red")
    page = f"/projects/{filled.slug}/classes/{red.pk}/settings"
    assert "6 pictures go to the trash with it" in as_owner.get(page).content.decode()
    said = {"name": "crimson", "description": "Dark.", "has_own_colour": "on", "colour": "#123456", "in_training": "on"}
    assert "Class “red” changed." in as_owner.post(page, said, follow=True).content.decode()
    red.refresh_from_db()
    assert (red.name, red.description, red.colour, red.in_training, red.is_negative) == (
        "crimson",
        "Dark.",
        "#123456",
        True,
        False,
    )
    assert "There is already a class called “green”" in as_owner.post(page, {**said, "name": "green"}).content.decode()
    as_owner.post(f"/projects/{filled.slug}/classes/{red.pk}/place", {"place": "1"})
    assert names(filled) == ["crimson", "blue", "green"]
    assert as_owner.post(f"/projects/{filled.slug}/classes/{red.pk}/place", {"place": "x"}).status_code == 302
    answer = as_owner.post(
        f"/projects/{filled.slug}/classes/{red.pk}/merge", {"into": of(filled, "blue").pk}, follow=True
    )
    assert "Class “crimson” merged into “blue”, with 6 pictures." in answer.content.decode()
    for address in (page, f"/projects/{filled.slug}/classes/{red.pk}/"):
        assert as_owner.get(address).status_code == 404
    green = of(filled, "green")
    as_owner.post(f"/projects/{filled.slug}/classes/{green.pk}/delete")
    assert green in list_classes(filled)
    as_owner.post(f"/projects/{filled.slug}/classes/{green.pk}/delete", {"with_pictures": "1"})
    assert names(filled) == ["blue"]


def test_classes_of_others_are_not_merged_into(filled: Project, as_owner: Client) -> None:
    other = create_project("Other", by=filled.owner)
    theirs = get_or_create_class(other, "theirs")
    red = of(filled, "red")
    assert as_owner.post(f"/projects/{filled.slug}/classes/{red.pk}/merge", {"into": theirs.pk}).status_code == 404
    answer = as_owner.post(
        f"/api/v1/projects/{filled.slug}/classes/{red.pk}/merge", {"into": theirs.pk}, content_type="application/json"
    )
    assert answer.status_code == 404


def test_api(filled: Project, as_owner: Client) -> None:
    red, home = of(filled, "red"), f"/api/v1/projects/{filled.slug}"
    said = {"description": "Dark.", "in_training": False, "place": 1}
    answer = as_owner.patch(f"{home}/classes/{red.pk}", said, content_type="application/json").json()
    assert (answer["name"], answer["description"], answer["in_training"], answer["position"]) == (
        "red",
        "Dark.",
        False,
        1,
    )
    merged = as_owner.post(
        f"{home}/classes/{red.pk}/merge", {"into": of(filled, "blue").pk}, content_type="application/json"
    ).json()
    assert merged["changed"] == 6
    assert [row["name"] for row in as_owner.get(home).json()["classes"]] == ["blue", "green"]
    assert as_owner.get(f"{home}/samples?class_id={red.pk}").status_code == 404
    green = of(filled, "green").pk
    assert as_owner.delete(f"{home}/classes/{green}").status_code == 422
    assert as_owner.delete(f"{home}/classes/{green}?with_pictures=true").status_code == 204
    assert as_owner.delete(f"{home}/classes/{green}").status_code == 404
    as_owner.post(f"{home}/changes/{merged['change']}/undo")
    assert [row["name"] for row in as_owner.get(home).json()["classes"]] == ["red", "blue"]


def test_number_of_queries_does_not_grow(filled: Project, as_owner: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(20):
        get_or_create_class(filled, f"class {number}")
    as_owner.get("/account/")  # the first request of a session notes where it is
    with django_assert_max_num_queries(10):
        as_owner.get(f"/projects/{filled.slug}/classes/{of(filled, 'red').pk}/settings")
