"""Test splits and groups that people set by hand, on the page of a class and over the API."""

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import Project, Sample
from classifier.services import datasets, leaks, samples
from classifier.services.projects import InvalidName
from ml.datasets.groups import SAME_PHOTO
from ml.datasets.splits import TEST, TRAINING
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures


@pytest.fixture
def red(project: Project) -> list[Sample]:
    """Return ten dealt samples of one class of three."""
    add_pictures(project, coloured_pictures(10))
    freeze(project)
    return list(Sample.objects.filter(project=project, image_class__name="red"))


def freeze(project: Project) -> dict[str, int]:
    version = datasets.freeze_dataset_version(project, validation_percentage=10, testing_percentage=10, by=None)
    return version.given


def splits(project: Project) -> dict[int, str]:
    return dict(Sample.objects.filter(project=project).values_list("pk", "split"))


def test_split_by_hand_stays_and_is_told(project: Project, red: list[Sample]) -> None:
    chosen = [sample.pk for sample in red if sample.split == TRAINING][:3]
    before = splits(project)
    assert samples.set_split(project, samples.pick(project, chosen), TEST, by=None).count == 3
    assert freeze(project) == {TEST: 3}
    assert splits(project) == before | dict.fromkeys(chosen, TEST)


def test_group_goes_along_with_one_of_its_pictures(project: Project, red: list[Sample]) -> None:
    training = [sample.pk for sample in red if sample.split == TRAINING]
    assert samples.set_group(project, samples.pick(project, training[:4]), "clip 7", by=None).count == 4
    assert samples.set_split(project, samples.pick(project, training[:1]), TEST, by=None).count == 4
    assert Sample.objects.filter(group="clip 7", split=TEST, split_is_given=True).count() == 4


def test_group_over_two_splits_is_a_leak_until_somebody_mends_it(project: Project, red: list[Sample]) -> None:
    test, training = (next(one.pk for one in red if one.split == split) for split in (TEST, TRAINING))
    samples.set_group(project, samples.pick(project, [test, training]), "one thing", by=None)
    assert leaks.count_leaked(project) == 1
    leaks.mend_leaks(project)
    assert leaks.count_leaked(project) == 0
    assert samples.set_group(project, samples.pick(project, [test]), "", by=None).count == 1
    assert Sample.objects.get(pk=test).group == ""


@pytest.mark.parametrize("name", [f"{SAME_PHOTO} 12", "x" * 201])
def test_names_of_groups_that_were_found_cannot_be_given(name: str, project: Project, red: list[Sample]) -> None:
    with pytest.raises(InvalidName):
        samples.set_group(project, samples.pick(project, [red[0].pk]), name, by=None)


def test_samples_of_others_in_the_trash_or_without_a_class_stay(project: Project, red: list[Sample]) -> None:
    other = Project.objects.create(name="Other", slug="other", owner=project.owner)
    assert samples.set_split(other, samples.pick(other, [red[0].pk]), TEST, by=None).count == 0
    assert samples.set_group(other, samples.pick(other, [red[0].pk]), "a", by=None).count == 0
    samples.delete_samples(project, samples.pick(project, [red[0].pk]), by=None)
    Sample.objects.filter(pk=red[1].pk).update(image_class=None)
    assert samples.set_split(project, samples.pick(project, [red[0].pk, red[1].pk]), TEST, by=None).count == 0


def test_page_of_a_class_sets_splits_and_groups(
    project: Project, red: list[Sample], as_owner: Client, as_stranger: Client
) -> None:
    chosen = [sample.pk for sample in red if sample.split == TRAINING][:2]
    page = as_owner.get(red[0].image_class.get_absolute_url()).content.decode()  # type: ignore[union-attr]
    addresses = [reverse(name, args=[project.slug]) for name in ("samples_split", "samples_group")]
    assert all(f'formaction="{address}"' in page for address in addresses)
    sent = {"sample": chosen, "split": TEST, "group": " clip 7 ", "next": red[0].image_class.get_absolute_url()}  # type: ignore[union-attr]
    for address in addresses:
        assert as_stranger.post(address, sent).status_code == 404
    assert "2 pictures put into test." in as_owner.post(addresses[0], sent, follow=True).content.decode()
    assert "2 pictures put into the group “clip 7”." in as_owner.post(addresses[1], sent, follow=True).content.decode()
    assert set(Sample.objects.filter(pk__in=chosen).values_list("split", "group")) == {(TEST, "clip 7")}
    assert "group “clip 7”" in as_owner.get(red[0].image_class.get_absolute_url()).content.decode()  # type: ignore[union-attr]
    assert as_owner.post(addresses[0], sent | {"split": "exam"}).status_code == 404
    refused = as_owner.post(addresses[1], sent | {"group": f"{SAME_PHOTO} 1"}, follow=True).content.decode()
    assert "does not begin" in refused


def test_api_sets_splits_and_groups(project: Project, red: list[Sample], as_owner: Client) -> None:
    def post(call: str, **sent: object) -> tuple[int, object]:
        address = f"/api/v1/projects/{project.slug}/samples/{call}"
        answer = as_owner.post(address, sent, content_type="application/json")
        return answer.status_code, answer.json().get("changed")

    chosen = [sample.pk for sample in red][:2]
    assert post("split", ids=chosen, split="test") == (200, 2)
    assert post("group", ids=chosen, group="clip") == (200, 2)
    assert post("split", ids=chosen, split="exam")[0] == 422
    assert post("group", ids=chosen, group=f"{SAME_PHOTO} 1")[0] == 422
    listed = as_owner.get(f"/api/v1/projects/{project.slug}/samples?class_id={red[0].image_class_id}").json()
    told = {one["id"]: (one["split"], one["split_is_given"], one["group"]) for one in listed["samples"]}
    assert [told[pk] for pk in chosen] == [("test", True, "clip")] * 2
