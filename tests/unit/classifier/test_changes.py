"""Test that every act upon samples is recorded and can be undone, also after other acts."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.models import Change, ImageClass, Project, Sample, SampleChange
from classifier.services import changes, classes, samples
from classifier.services.history import describe_change
from classifier.services.projects import InvalidName
from classifier.services.samples import pick
from ml.datasets.splits import TEST

FIELDS = changes.SAMPLE_FIELDS


def state(project: Project) -> list[Any]:
    return list(Sample.objects.filter(project=project).order_by("pk").values_list("pk", *FIELDS))


def ids(project: Project) -> list[int]:
    return list(project.samples.order_by("pk").values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda p, s, to: samples.move_samples(p, s, to=to, by=p.owner), "3 pictures moved to “green”"),
        (lambda p, s, to: samples.unlabel_samples(p, s, by=p.owner), "3 pictures taken out of their class"),
        (lambda p, s, to: samples.set_split(p, s, TEST, by=p.owner), "3 pictures put into test"),
        (lambda p, s, to: samples.set_group(p, s, "clip", by=p.owner), "3 pictures put into the group “clip”"),
        (lambda p, s, to: samples.add_tag(p, s, "check", by=p.owner), "3 pictures tagged “check”"),
        (lambda p, s, to: samples.delete_samples(p, s, by=p.owner), "3 pictures moved to the trash"),
    ],
)
def test_act_is_told_undone_and_done_again(act: Any, sentence: str, filled: Project) -> None:
    red, green = (filled.classes.get(name=name) for name in ("red", "green"))
    chosen = Sample.objects.filter(image_class=red).order_by("pk").values_list("pk", flat=True)[:3]
    before = state(filled)
    done = act(filled, pick(filled, chosen), green)
    after = state(filled)
    assert (done.count, describe_change(done)) == (3, sentence)
    assert after != before
    back, left = changes.undo(done, by=filled.owner)
    assert (back.count, left, describe_change(back)) == (3, 0, f"Undone: {sentence}")
    assert state(filled) == before
    changes.undo(back, by=filled.owner)
    assert state(filled) == after
    with pytest.raises(changes.CannotUndo, match="already"):
        changes.undo(done, by=filled.owner)


def test_what_was_changed_since_stays_as_it_is(filled: Project) -> None:
    red, green, blue = (filled.classes.get(name=name) for name in ("red", "green", "blue"))
    chosen = ids(filled)[:3]
    Sample.objects.filter(pk__in=chosen).update(image_class=red)
    done = samples.move_samples(filled, pick(filled, chosen), to=green, by=None)
    samples.move_samples(filled, pick(filled, chosen[:1]), to=blue, by=None)
    back, left = changes.undo(done, by=None)
    assert (back.count, left) == (2, 1)
    assert dict(Sample.objects.filter(pk__in=chosen).values_list("pk", "image_class__name")) == {
        chosen[0]: "blue",
        chosen[1]: "red",
        chosen[2]: "red",
    }


def test_purged_samples_are_not_brought_back_but_the_others_are(filled: Project) -> None:
    chosen = ids(filled)[:2]
    done = samples.delete_samples(filled, pick(filled, chosen), by=None)
    samples.restore_samples(filled, pick(filled, chosen[:1]), by=None)
    samples.purge_samples(filled)
    samples.delete_samples(filled, pick(filled, chosen[:1]), by=None)
    assert SampleChange.objects.filter(sample=chosen[1]).count() == 0
    back, _ = changes.undo(Change.objects.filter(kind="restore").get(), by=None)
    assert back.count == 0
    _, left = changes.undo(done, by=None)
    assert left == 2  # one was deleted again at another time, one is gone


def test_act_that_changes_nothing_is_recorded_without_samples(filled: Project) -> None:
    red = filled.classes.get(name="red")
    done = samples.move_samples(filled, Sample.objects.filter(image_class=red), to=red, by=None)
    assert (done.count, done.samples.count()) == (0, 0)


def test_tags_are_added_once_and_taken_off(filled: Project) -> None:
    one = pick(filled, ids(filled)[:1])
    samples.add_tag(filled, one, "check", by=None)
    samples.add_tag(filled, one, "dark", by=None)
    assert samples.add_tag(filled, one, "check", by=None).count == 0
    assert one.get().tag_list == ["check", "dark"]
    samples.remove_tag(filled, one, "check", by=None)
    assert one.get().tag_list == ["dark"]
    samples.remove_tag(filled, one, "dark", by=None)
    assert one.get().tags == ""
    for name in ("", "a|b", "x" * 51):
        with pytest.raises(InvalidName):
            samples.add_tag(filled, one, name, by=None)


ACTS = st.lists(
    st.tuples(st.sampled_from(["move", "delete", "restore", "tag", "split", "undo"]), st.sets(st.integers(0, 5))),
    max_size=8,
)


@given(acts=ACTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_acts_undone_in_the_reverse_order_leave_what_was(acts: list[tuple[str, set[int]]], filled: Project) -> None:
    own = ids(filled)
    green = ImageClass.objects.get(project=filled, name="green")
    before = state(filled)
    done: list[Change] = []
    for name, places in acts:
        chosen = pick(filled, [own[place] for place in places])
        if name == "move":
            done.append(samples.move_samples(filled, chosen, to=green, by=None))
        elif name == "delete":
            done.append(samples.delete_samples(filled, chosen, by=None))
        elif name == "restore":
            done.append(samples.restore_samples(filled, chosen, by=None))
        elif name == "tag":
            done.append(samples.add_tag(filled, chosen, "check", by=None))
        elif name == "split":
            done.append(samples.set_split(filled, chosen, TEST, by=None))
        elif done:
            changes.undo(done.pop(), by=None)
    for one in reversed(done):
        changes.undo(one, by=None)
    assert state(filled) == before


def test_page_offers_to_undo_and_history_tells(filled: Project, as_owner: Client, as_stranger: Client) -> None:
    chosen = ids(filled)[:2]
    here = reverse("pictures", args=[filled.slug]) + "?sort=name"
    sent = {"sample": chosen, "next": here}
    page = as_owner.post(reverse("samples_delete", args=[filled.slug]), sent, follow=True).content.decode()
    act = Change.objects.get()
    undo = reverse("undo", args=[filled.slug, act.pk])
    assert "2 pictures moved to the trash." in page
    assert undo in page
    assert as_stranger.post(undo).status_code == 404
    assert "2 pictures moved to the trash" in as_owner.get(reverse("history", args=[filled.slug])).content.decode()
    page = as_owner.post(undo, {"next": here}, follow=True).content.decode()
    assert "Undone: 2 pictures moved to the trash." in page
    assert filled.samples.filter(deleted_at=None).count() == 18
    assert "has been undone already" in as_owner.post(undo, {"next": here}, follow=True).content.decode()


@pytest.mark.parametrize("wanted", ["https://example.org/", "//example.org/", "/projects/others/", "/account/keys"])
def test_page_goes_on_only_within_its_project(wanted: str, filled: Project, as_owner: Client) -> None:
    answer = as_owner.post(reverse("samples_delete", args=[filled.slug]), {"sample": [], "next": wanted})
    assert answer["Location"] == filled.get_absolute_url()


def test_script_is_answered_in_json(filled: Project, as_owner: Client) -> None:
    address = reverse("samples_move", args=[filled.slug])
    headers = {"Accept": "application/json"}
    sent = {"ids": ",".join(map(str, ids(filled)[:2])), "to": "new", "new": "violet"}
    answer = as_owner.post(address, sent, headers=headers).json()
    assert answer["sentence"] == "2 pictures moved to “violet”."
    assert answer["class"] == "violet"
    assert Change.objects.get(pk=answer["change"]).count == 2
    refused = as_owner.post(address, sent | {"new": "x" * 300}, headers=headers)
    assert (refused.status_code, "too long" in refused.json()["error"]) == (422, True)


def test_only_the_way_to_a_new_class_reads_its_name(filled: Project, as_owner: Client) -> None:
    red, chosen = filled.classes.get(name="red"), ids(filled)[-1:]
    before = state(filled)
    headers = {"Accept": "application/json"}
    sent = {"sample": chosen, "to": [red.pk, "new"], "new": " "}  # as without scripts: the list, then the button
    refused = as_owner.post(reverse("samples_move", args=[filled.slug]), sent, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (422, "Please enter a name.")
    assert state(filled) == before
    as_owner.post(reverse("samples_move", args=[filled.slug]), {"sample": chosen, "to": red.pk, "new": "violet"})
    assert Sample.objects.get(pk=chosen[0]).image_class == red
    assert not filled.classes.filter(name="violet").exists()


@pytest.mark.parametrize("action", ["move", "label"])
def test_class_that_was_deleted_meanwhile_takes_nothing_more(action: str, filled: Project, as_owner: Client) -> None:
    red = filled.classes.get(name="red")
    classes.delete_class(red, by=None, with_pictures=True)
    sent = {"sample": ids(filled), "to": red.pk}
    headers = {"Accept": "application/json"}
    answer = as_owner.post(reverse(f"samples_{action}", args=[filled.slug]), sent, headers=headers)
    assert (answer.status_code, "not there any more" in answer.json()["error"]) == (422, True)
    assert not filled.samples.filter(image_class=red, deleted_at=None).exists()


def test_history_leaves_out_what_changed_nothing(filled: Project, as_owner: Client) -> None:
    samples.delete_samples(filled, pick(filled, []), by=filled.owner)
    assert "Nothing has been moved" in as_owner.get(reverse("history", args=[filled.slug])).content.decode()
    assert as_owner.get(f"/api/v1/projects/{filled.slug}/changes").json() == []


def test_all_that_match_are_changed_without_naming_them(filled: Project, as_owner: Client) -> None:
    red = filled.classes.get(name="red")
    sent = {"all": "true", "filter": f"class_id={red.pk}", "tag": "warm"}
    as_owner.post(reverse("samples_tag", args=[filled.slug]), sent)
    assert set(Sample.objects.filter(tags="|warm|").values_list("image_class", flat=True)) == {red.pk}
    assert Sample.objects.filter(tags="|warm|").count() == 6


def test_api_changes_and_undoes(filled: Project, as_owner: Client) -> None:
    base = f"/api/v1/projects/{filled.slug}"

    def post(call: str, **sent: object) -> Any:
        return as_owner.post(f"{base}/{call}", sent, content_type="application/json")

    answer = post("samples/tag", filter={"name": "red/"}, tag="warm").json()
    assert answer["changed"] == 6
    listed = as_owner.get(f"{base}/samples?tag=warm").json()["samples"]
    assert {tuple(one["tags"]) for one in listed} == {("warm",)}
    (told,) = as_owner.get(f"{base}/changes").json()
    assert (told["id"], told["description"], told["undone"]) == (answer["change"], "6 pictures tagged “warm”", False)
    assert post(f"changes/{answer['change']}/undo").json()["changed"] == 6
    assert post(f"changes/{answer['change']}/undo").status_code == 409
    assert as_owner.get(f"{base}/changes?before={answer['change']}").json() == []
    assert post("samples/unlabel", ids=ids(filled)[:1]).json()["changed"] == 1
    for wrong in ({}, {"ids": [1], "filter": {}}, {"filter": {"colour": "red"}}, {"filter": {"sort": "magic"}}):
        assert post("samples/delete", **wrong).status_code == 422


def test_more_pictures_are_chosen_than_a_statement_takes_parameters(filled: Project, as_owner: Client) -> None:
    sent = {"ids": ",".join(map(str, range(300_000))), "tag": "far"}
    as_owner.post(reverse("samples_tag", args=[filled.slug]), sent)
    assert Sample.objects.filter(tags="|far|").count() == 18


@pytest.mark.services
@pytest.mark.parametrize("group", ["clip \0", "clip\n7", "x" * 201])
def test_group_that_no_database_can_keep_is_refused(group: str, filled: Project, as_owner: Client) -> None:
    before = state(filled)
    sent = {"sample": ids(filled)[:2], "group": group}
    answer = as_owner.post(reverse("samples_group", args=[filled.slug]), sent, headers={"Accept": "application/json"})
    assert (answer.status_code, state(filled)) == (422, before)
