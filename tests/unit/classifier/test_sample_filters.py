"""Test the filter of the grid: what it finds, in which order, page by page, and what it makes of bad addresses."""

from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.models import Finding, ModelVersion, Project, Sample, SampleAudit
from classifier.sample_filters import BadFilter, SampleFilter, parse_filter, select_samples
from classifier.sample_orders import SORTS
from classifier.sample_pages import neighbours, page_after
from classifier.services import samples
from ml.datasets.groups import SAME_PHOTO
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import add_pictures


def found(project: Project, **wanted: Any) -> set[str]:
    return set(select_samples(project, SampleFilter(**wanted)).values_list("file_name", flat=True))


def pages(project: Project, wanted: SampleFilter, size: int) -> list[Sample]:
    seen: list[Sample] = []
    cursor = ""
    while True:
        page, cursor = page_after(project, wanted, cursor, size)
        seen += page
        if not cursor:
            return seen


@pytest.fixture
def varied(filled: Project) -> Project:
    """Give samples of the project what they can be filtered by."""
    red = list(filled.samples.filter(image_class__name="red").order_by("file_name"))
    for number, sample in enumerate(filled.samples.order_by("pk")):
        SampleAudit.objects.create(
            sample=sample, project=filled, confidence=number % 4 / 4, uncertainty=number % 3, outlier_score=number
        )
    Sample.objects.filter(pk=red[0].pk).update(split="test", group="clip 7", tags="|check|dark|")
    Sample.objects.filter(pk=red[1].pk).update(image_class=None, group=f"{SAME_PHOTO} 1")
    samples.delete_samples(filled, samples.pick(filled, [red[2].pk]), by=None)
    Finding.objects.create(project=filled, kind="blurred", sample=red[3])
    Finding.objects.create(project=filled, kind="blurred", sample=red[4], dismissed_at="2026-01-01T00:00:00Z")
    return filled


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"name": "RED/"}, {"red/0.jpg", "red/1.jpg", "red/3.jpg", "red/4.jpg", "red/5.jpg"}),
        ({"name": "5", "split": "none"}, {"red/5.jpg", "green/5.jpg", "blue/5.jpg"}),
        ({"split": "test"}, {"red/0.jpg"}),
        ({"group": "clip 7"}, {"red/0.jpg"}),
        ({"tag": "dark"}, {"red/0.jpg"}),
        ({"tag": "dar"}, set()),
        ({"unlabelled": True}, {"red/1.jpg"}),
        ({"duplicate": True}, {"red/1.jpg"}),
        ({"deleted": True}, {"red/2.jpg"}),
        ({"finding": "blurred"}, {"red/3.jpg"}),
        ({"finding": "dark"}, set()),
        ({"since": "2000-01-01", "name": "red/0"}, {"red/0.jpg"}),
        ({"until": "2000-01-01"}, set()),
        ({"smaller_than": 2}, set()),
        ({"smaller_than": 5000, "name": "red/0"}, {"red/0.jpg"}),
    ],
)
def test_filter_finds_what_it_says(wanted: dict[str, Any], expected: set[str], varied: Project) -> None:
    assert found(varied, **wanted) == expected


def test_filter_by_class_and_upload(varied: Project) -> None:
    _ = add_pictures(varied, {"green/new.jpg": make_jpeg(77)})
    green = varied.classes.get(name="green")
    newest = varied.uploads.first()
    assert newest is not None
    assert found(varied, upload=newest.pk) == {"green/new.jpg"}
    assert len(found(varied, class_id=green.pk)) == 7
    assert found(varied, class_id=green.pk, upload=newest.pk, name="0") == set()


def test_filter_by_what_a_version_says(trained: ModelVersion) -> None:
    first, *others = trained.dataset_version.classes
    tested = set(trained.project.samples.filter(split="test").values_list("file_name", flat=True))
    right, wrong = found(trained.project, right=1), found(trained.project, wrong=1)
    assert right | wrong == tested
    assert {name.split("/")[0] for name in right} == {first[1]}
    assert found(trained.project, wrong=1, predicted=first[0]) == wrong
    assert found(trained.project, wrong=1, predicted=others[0][0]) == set()
    with pytest.raises(BadFilter, match="no version 9"):
        found(trained.project, wrong=9)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("size", [1, 4, 17, 100])
def test_pages_show_every_sample_once_in_order(sort: str, size: int, varied: Project) -> None:
    wanted = SampleFilter(sort=sort)
    seen = pages(varied, wanted, size)
    assert len(seen) == 17
    assert len({sample.pk for sample in seen}) == 17
    keys = [(getattr(sample, "sorted_by", sample.pk), sample.pk) for sample in seen]
    assert keys == sorted(keys, reverse=SORTS[sort].descending)
    around = [None, *(sample.pk for sample in seen), None]
    assert [neighbours(varied, wanted, sample) for sample in seen] == list(zip(around, around[2:], strict=False))


def test_samples_without_what_they_are_sorted_by_are_left_out_and_told(varied: Project, as_owner: Client) -> None:
    newest = varied.samples.filter(deleted_at=None).order_by("-pk")[:4]
    SampleAudit.objects.filter(sample__in=list(newest)).delete()
    page = as_owner.get(reverse("pictures", args=[varied.slug]), {"sort": "odd"}).content.decode()
    assert "The newest pictures have not been checked yet" in " ".join(page.split())
    assert page.count('class="sample"') == len(pages(varied, SampleFilter(sort="odd"), 100)) == 13


@pytest.mark.parametrize(
    "query",
    [
        *("colour=red", "split=exam", "sort=magic", "class_id=x", "class_id=-1", f"class_id={'9' * 23}"),
        *("until=9999-12-31", "since=0001-01-01"),
        *("since=yesterday", "unlabelled=perhaps", "upload=1.5", f"name={'x' * 201}", "wrong=7"),
    ],
)
def test_bad_filter_is_refused_with_a_sentence(query: str, filled: Project, as_owner: Client) -> None:
    answer = as_owner.get(f"{reverse('pictures', args=[filled.slug])}?{query}")
    assert answer.status_code == 422
    assert "There is no" in answer.content.decode() or "cannot be read" in answer.content.decode()


@pytest.mark.parametrize("sort", ["newest", "name", "odd"])
@pytest.mark.parametrize("cursor", ["x", "9" * 40, f"{'9' * 23} 0.5", "1 nan", "1 x", "-", "1 \0", "1 1e999"])
def test_bad_cursor_costs_no_more_than_an_empty_page(sort: str, cursor: str, varied: Project, as_owner: Client) -> None:
    answer = as_owner.get(reverse("pictures", args=[varied.slug]), {"sort": sort, "after": cursor})
    assert answer.status_code in (200, 422)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(name=TEXT, group=TEXT, tag=TEXT, split=st.sampled_from([None, "test", "none"]), deleted=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_filter_survives_its_address(
    name: str, group: str, tag: str, split: str | None, *, deleted: bool, varied: Project
) -> None:
    wanted = SampleFilter(name=name, group=group, tag=tag, split=split, deleted=deleted)
    assert parse_filter(QueryDict(wanted.as_query())) == wanted
    list(select_samples(varied, wanted))


def test_page_names_each_filter_and_leads_out_of_it(varied: Project, as_owner: Client) -> None:
    red = varied.classes.get(name="red")
    page = as_owner.get(
        reverse("pictures", args=[varied.slug]), {"class_id": red.pk, "split": "test", "name": "<b>"}
    ).content.decode()
    for words in ("class “red”", "name contains “&lt;b&gt;”"):
        assert words in page
    assert f'href="?class_id={red.pk}&amp;split=test"' in page
    assert "No picture matches." in page
