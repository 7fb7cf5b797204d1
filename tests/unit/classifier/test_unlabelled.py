"""Pictures without a class are kept and shown, and take no part in anything until they have one; given splits stay."""

from collections import Counter
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import Project, Sample
from classifier.selectors import class_counts
from classifier.services.datasets import freeze_dataset_version, load_dataset
from classifier.services.outcomes import Outcome
from classifier.services.samples import delete_samples, move_samples, pick
from classifier.services.uploads import add_entries, start_upload
from ml.datasets.archives import open_path
from ml.datasets.readings import parse_layout
from tests.archive_files import make_folder
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import publish, upload_pictures


def bring_in(project: Project, folder: Path, names: list[str], layout: str = "auto", seed: int = 0) -> list[Outcome]:
    folder.mkdir()
    made = make_folder(folder, {name: make_jpeg(seed + number, (8, 8)) for number, name in enumerate(names)})
    walk = open_path(made, layout=parse_layout(layout)).walk()
    upload = start_upload(project, "a folder", by=project.owner)
    return [outcome for batch in add_entries(upload, walk) for outcome in batch]


def numbered(pattern: str, count: int) -> list[str]:
    return [pattern.format(number) for number in range(count)]


TRAIN_AND_TEST = [*numbered("train/cat/{}.jpg", 4), *numbered("train/dog/{}.jpg", 4), *numbered("test/{}.jpg", 3)]


def freeze(project: Project):  # type: ignore[no-untyped-def]
    return freeze_dataset_version(project, validation_percentage=10, testing_percentage=10, by=project.owner)


def test_pictures_without_a_class_are_kept_and_never_frozen(project: Project, tmp_path: Path) -> None:
    outcomes = bring_in(project, tmp_path / "a", TRAIN_AND_TEST)
    assert Counter(outcome.status for outcome in outcomes) == {"stored": 11}
    assert project.samples.filter(image_class=None).count() == 3
    assert sum(class_counts(project).values()) == 8
    version = freeze(project)
    assert version.total == 8
    assert len(load_dataset(version).rows) == 8
    assert set(project.samples.filter(image_class=None).values_list("split", flat=True)) == {""}


def test_given_splits_are_kept_and_the_version_says_so(project: Project, tmp_path: Path) -> None:
    names = [
        f"{split}/{label}/{n}.jpg"
        for split, count in (("train", 5), ("val", 2), ("test", 3))
        for label in "ab"
        for n in range(count)
    ]
    bring_in(project, tmp_path / "a", names)
    version = freeze(project)
    assert {split: sum(counts) for split, counts in version.counts.items()} == {
        "training": 10,
        "validation": 4,
        "test": 6,
    }
    assert version.given == {"training": 10, "validation": 4, "test": 6}
    test = {sample.file_name for sample in project.samples.filter(split="test")}
    assert test == {name for name in names if name.startswith("test/")}


def test_what_was_not_given_is_dealt_and_a_given_test_stays_the_whole_test(project: Project, tmp_path: Path) -> None:
    names = [*numbered("train/a/{}.jpg", 20), *numbered("train/b/{}.jpg", 20), "test/a/1.jpg", "test/b/1.jpg"]
    bring_in(project, tmp_path / "a", names)
    version = freeze(project)
    assert version.counts["test"] == [1, 1]
    assert version.counts["validation"] == [2, 2]
    assert version.given == {"training": 36, "test": 2}
    dealt = project.samples.filter(split_is_given=False)
    assert set(dealt.values_list("split", flat=True)) == {"validation"}


def test_test_of_a_later_upload_is_the_test(project: Project, tmp_path: Path) -> None:
    bring_in(project, tmp_path / "a", [*numbered("train/a/{}.jpg", 6), *numbered("train/b/{}.jpg", 6)])
    bring_in(project, tmp_path / "b", ["test/a/1.jpg", "test/b/1.jpg"], "first,keep", seed=100)
    assert freeze(project).counts["test"] == [1, 1]


def test_picture_without_a_class_gets_one_when_it_comes_again_with_one(project: Project, tmp_path: Path) -> None:
    bring_in(project, tmp_path / "a", ["x/1.jpg", "x/2.jpg"], "unlabelled")
    (first, second) = bring_in(project, tmp_path / "b", ["cat/1.jpg", "cat/2.jpg"])
    assert {first.reason, second.reason} == {"The same picture was already there without a class; now it has this one."}
    assert set(Sample.objects.values_list("image_class__name", flat=True)) == {"cat"}
    (again, _) = bring_in(project, tmp_path / "c", ["x/1.jpg", "x/2.jpg"], "unlabelled")
    assert again.reason == "The same picture is already there."
    assert set(Sample.objects.values_list("image_class__name", flat=True)) == {"cat"}


def test_restored_picture_keeps_its_class_if_it_comes_without_one(project: Project, tmp_path: Path) -> None:
    bring_in(project, tmp_path / "a", ["cat/1.jpg"])
    delete_samples(project, pick(project, project.samples.values_list("pk", flat=True)), by=None)
    (outcome,) = bring_in(project, tmp_path / "b", ["x/1.jpg"], "unlabelled")
    assert outcome.status == "stored"
    assert project.samples.get(deleted_at=None).image_class.name == "cat"


def test_single_pictures_still_need_a_class(project: Project) -> None:
    _, (outcome,) = upload_pictures(project, [("1.jpg", "", make_jpeg(1))])
    assert outcome.status == "rejected"


@pytest.fixture
def browser(project: Project, client: Client) -> Client:
    client.force_login(project.owner)
    return client


def test_pages_show_pictures_without_a_class(project: Project, browser: Client, tmp_path: Path) -> None:
    bring_in(project, tmp_path / "a", TRAIN_AND_TEST)
    assert "3 pictures without a" in browser.get(project.get_absolute_url()).content.decode()
    page = browser.get(reverse("pictures", args=[project.slug]), {"unlabelled": "true"}).content.decode()
    assert page.count('class="sample"') == 3
    move_samples(
        project,
        pick(project, project.samples.values_list("pk", flat=True)),
        to=project.classes.get(name="cat"),
        by=None,
    )
    page = browser.get(reverse("pictures", args=[project.slug]), {"unlabelled": "true"}).content.decode()
    assert "No picture matches." in page


def test_page_of_a_version_says_which_splits_were_given(project: Project, browser: Client, tmp_path: Path) -> None:
    bring_in(
        project,
        tmp_path / "a",
        [f"{split}/{label}/{n}.jpg" for split in ("train", "test") for label in "ab" for n in "12"],
    )
    version = publish(project)
    page = browser.get(reverse("version", args=[project.slug, version.number])).content.decode()
    assert "given)" in page


def test_api_lists_pictures_without_a_class(project: Project, browser: Client, tmp_path: Path) -> None:
    bring_in(project, tmp_path / "a", TRAIN_AND_TEST)
    answer = browser.get(f"/api/v1/projects/{project.slug}/samples?unlabelled=true").json()["samples"]
    assert [(sample["class_id"], sample["class_name"]) for sample in answer] == [(None, None)] * 3
    labelled = browser.get(f"/api/v1/projects/{project.slug}/samples").json()["samples"][-1]
    assert (labelled["split"], labelled["split_is_given"]) == ("training", True)
