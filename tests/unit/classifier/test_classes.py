"""Classes are renamed, described, ordered, merged and removed; nothing is lost, and all can be undone."""

import itertools
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.models import Change, DatasetVersion, ImageClass, ModelVersion, Project, Sample
from classifier.selectors import class_names, list_classes
from classifier.services import classes, samples, training
from classifier.services.changes import CannotUndo, undo
from classifier.services.classes import BadClass, delete_class, edit_class, merge_class, place_class, rename_class
from classifier.services.dataset_restoring import restore_version
from classifier.services.datasets import freeze_dataset_version
from classifier.services.projects import InvalidName, create_project, get_or_create_class
from tests.datasets import coloured_pictures
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures, upload_pictures

COUNTED = itertools.count()


def freeze(project: Project) -> DatasetVersion:
    return freeze_dataset_version(project, validation_percentage=10, testing_percentage=10, by=project.owner)


def of(project: Project, name: str) -> ImageClass:
    return list_classes(project).get(name=name)


def kept(project: Project) -> dict[str, int]:
    """Count the kept samples of each class that is there."""
    names = [row.name for row in list_classes(project)]
    return {name: Sample.objects.filter(image_class=of(project, name), deleted_at=None).count() for name in names}


def names(project: Project) -> list[str]:
    return [row.name for row in list_classes(project)]


# Names


def test_renaming_is_recorded_and_undone(filled: Project) -> None:
    act = rename_class(of(filled, "red"), "crimson", by=filled.owner)
    assert (act.kind, act.details, names(filled)) == (
        Change.Kind.RENAME_CLASS,
        {"from": "red", "to": "crimson"},
        ["blue", "crimson", "green"],
    )
    undo(act, by=filled.owner)
    assert names(filled) == ["blue", "green", "red"]


@pytest.mark.parametrize("name", ["green", "  ", "a\x00", "x" * 201])
def test_name_that_cannot_be_used(filled: Project, name: str) -> None:
    with pytest.raises(InvalidName):
        rename_class(of(filled, "red"), name, by=None)


def test_near_names_are_told(filled: Project, as_owner: Client) -> None:
    red = of(filled, "red")
    for name in ("Red", "reds", "\u200bred", "ｒｅｄ", "bread", "red 2"):
        get_or_create_class(filled, name)
    assert {row.name for row in classes.list_near_names(red)} == {"Red", "reds", "\u200bred", "ｒｅｄ"}
    answer = as_owner.post(f"/projects/{filled.slug}/classes/new", {"name": "GREEN"}, follow=True)
    assert "There is also “green”." in answer.content.decode()


# Other fields


def test_fields_are_changed_and_undone(filled: Project) -> None:
    red = of(filled, "red")
    act = edit_class(red, by=None, description=" Warm. ", colour="#AABBCC", in_training=False)
    red.refresh_from_db()
    assert (red.description, red.colour, red.shown_colour, red.in_training) == ("Warm.", "#aabbcc", "#aabbcc", False)
    undo(act, by=None)
    red.refresh_from_db()
    assert (red.description, red.colour, red.in_training) == ("", "", True)
    assert red.shown_colour.startswith("#")


@pytest.mark.parametrize("fields", [{"colour": "red"}, {"colour": "#12345"}, {"description": "x" * 1001}])
def test_fields_that_cannot_be(filled: Project, fields: dict[str, Any]) -> None:
    with pytest.raises(BadClass):
        edit_class(of(filled, "red"), by=None, **fields)


def test_order_is_kept_and_new_classes_come_last(filled: Project) -> None:
    place_class(of(filled, "red"), 1, by=None)
    assert names(filled) == ["red", "blue", "green"]
    act = place_class(of(filled, "blue"), 99, by=None)
    get_or_create_class(filled, "amber")
    assert names(filled) == ["red", "green", "blue", "amber"]
    undo(act, by=None)
    assert names(filled)[:3] == ["red", "blue", "green"]


def test_one_class_is_the_negative_one(filled: Project, as_owner: Client) -> None:
    page = f"/projects/{filled.slug}/"
    assert "Add a class for “none of these”" in as_owner.get(page).content.decode()
    as_owner.post(f"{page}classes/negative")
    assert of(filled, "none of these").is_negative
    assert "Add a class for “none of these”" not in as_owner.get(page).content.decode()
    edit_class(of(filled, "red"), by=None, is_negative=True)
    assert [row.name for row in list_classes(filled).filter(is_negative=True)] == ["red"]


def test_class_that_is_left_out_is_in_no_dataset_version(filled: Project, as_owner: Client) -> None:
    edit_class(of(filled, "red"), by=None, in_training=False)
    version = freeze(filled)
    assert ([name for _, name in version.classes], version.total) == (["blue", "green"], 12)
    assert Sample.objects.filter(image_class=of(filled, "red"), split="").count() == 6
    for page in ("train/", "", f"classes/{of(filled, 'red').pk}/"):
        text = as_owner.get(f"/projects/{filled.slug}/{page}").content.decode()
        assert "left out of trainings" in text or "not in trainings" in text or "Trainings leave this class out" in text
    edit_class(of(filled, "green"), by=None, in_training=False)
    assert training.check_training(filled).errors[0].startswith("There is only one class, “blue”")


# Merging and deleting


def test_merging_takes_all_pictures_and_is_undone(filled: Project) -> None:
    red, blue = of(filled, "red"), of(filled, "blue")
    trashed = Sample.objects.filter(image_class=red)[:1]
    samples.delete_samples(filled, samples.pick(filled, [trashed[0].pk]), by=None)
    act = merge_class(red, into=blue, by=filled.owner)
    assert (act.count, kept(filled)) == (6, {"blue": 11, "green": 6})
    assert not Sample.objects.filter(image_class=red).exists()
    undo(act, by=filled.owner)
    assert kept(filled) == {"blue": 6, "green": 6, "red": 5}
    with pytest.raises(BadClass, match="itself"):
        merge_class(red, into=red, by=None)


def test_old_versions_keep_the_names_of_merged_and_deleted_classes(trained: ModelVersion) -> None:
    project, before = trained.project, class_names(trained)
    merge_class(of(project, "red"), into=of(project, "blue"), by=None)
    delete_class(of(project, "green"), by=None, with_pictures=True)
    assert class_names(trained) == before


def test_deleting_takes_the_pictures_along_and_is_undone(filled: Project) -> None:
    red = of(filled, "red")
    with pytest.raises(BadClass, match="has pictures"):
        delete_class(red, by=None)
    act = delete_class(red, by=filled.owner, with_pictures=True)
    assert kept(filled) == {"blue": 6, "green": 6}
    undo(act, by=filled.owner)
    assert kept(filled) == {"blue": 6, "green": 6, "red": 6}


def test_name_of_a_deleted_class_makes_a_new_one(filled: Project) -> None:
    red = of(filled, "red")
    act = delete_class(red, by=None, with_pictures=True)
    upload_pictures(filled, [("1.jpg", "red", make_jpeg(99))])
    assert of(filled, "red") != red
    with pytest.raises(CannotUndo, match="another class of this name"):
        undo(act, by=None)
    assert kept(filled) == {"blue": 6, "green": 6, "red": 1}


def test_restored_picture_brings_its_class_back(filled: Project) -> None:
    red = of(filled, "red")
    delete_class(red, by=None, with_pictures=True)
    one = samples.pick(filled, [Sample.objects.filter(image_class=red)[0].pk])
    act = samples.restore_samples(filled, one, by=None)
    assert kept(filled) == {"blue": 6, "green": 6, "red": 1}
    undo(act, by=None)
    assert kept(filled) == {"blue": 6, "green": 6}


def test_restored_picture_goes_to_the_new_class_of_the_name(filled: Project) -> None:
    delete_class(of(filled, "red"), by=None, with_pictures=True)
    get_or_create_class(filled, "red")
    samples.restore_samples(filled, Sample.objects.filter(project=filled), by=None)
    assert kept(filled) == {"blue": 6, "green": 6, "red": 6}


def test_undone_move_out_of_a_merged_class_leads_to_where_it_went(filled: Project) -> None:
    red, blue, green = (of(filled, name) for name in ("red", "blue", "green"))
    act = samples.move_samples(filled, Sample.objects.filter(image_class=red), to=green, by=None)
    merge_class(red, into=blue, by=None)
    undo(act, by=None)
    assert kept(filled) == {"blue": 12, "green": 6}


def test_undoing_does_not_hide_what_came_since(filled: Project) -> None:
    red = of(filled, "red")
    delete_class(red, by=None, with_pictures=True)
    back = samples.restore_samples(filled, Sample.objects.filter(image_class=red), by=None)
    upload_pictures(filled, [("1.jpg", "red", make_jpeg(99))])
    undo(back, by=None)
    assert kept(filled) == {"blue": 6, "green": 6, "red": 1}


def test_uploaded_again_from_the_trash_of_a_deleted_class(filled: Project) -> None:
    delete_class(of(filled, "red"), by=None, with_pictures=True)
    upload_pictures(filled, [("0.jpg", "", coloured_pictures(1)["red/0.jpg"])])
    assert Sample.objects.filter(project=filled, deleted_at=None, image_class=None).count() in (0, 1)
    assert not Sample.objects.filter(deleted_at=None, image_class__deleted_at__isnull=False).exists()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8))
def test_no_sample_is_ever_where_nobody_sees_it(owner: Any, steps: list[tuple[int, int, int]]) -> None:
    """Do anything with classes and take some of it back: every kept sample is in a class that is there."""
    project = create_project("Any", by=owner, slug=f"any-{next(COUNTED)}")
    add_pictures(project, coloured_pictures(2))
    version, acts = freeze(project), []
    for kind, one, other in steps:
        listed = list(list_classes(project))
        chosen = samples.pick(project, project.samples.values_list("pk", flat=True)[one : one + 2])
        if kind == 0 and len(listed) > 1 and listed[one % len(listed)] != listed[other % len(listed)]:
            acts.append(merge_class(listed[one % len(listed)], into=listed[other % len(listed)], by=owner))
        elif kind == 1 and listed:
            acts.append(delete_class(listed[one % len(listed)], by=owner, with_pictures=True))
        elif kind == 2:
            acts.append(samples.restore_samples(project, chosen, by=owner))
        elif kind == 3 and listed:
            acts.append(samples.move_samples(project, chosen, to=listed[other % len(listed)], by=owner))
        elif kind == 4:
            acts.append(restore_version(version, by=owner)[0])
        elif kind == 5 and acts:
            try:
                undo(acts.pop(one % len(acts)), by=owner)
            except CannotUndo:
                continue
        hidden = Sample.objects.filter(project=project, deleted_at=None, image_class__deleted_at__isnull=False)
        assert not hidden.exists()
    restore_version(version, by=owner)
    assert freeze(project) == version
