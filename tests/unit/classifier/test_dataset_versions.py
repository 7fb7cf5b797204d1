"""Dataset versions are looked at, compared and restored; what is gone for good is told."""

from typing import Any

import pytest
from django.test import Client

from classifier.models import Change, DatasetVersion, ImageClass, ModelVersion, Project, Sample
from classifier.services import samples
from classifier.services.changes import undo
from classifier.services.dataset_comparison import Place, compare_states, current_state, state_of_version
from classifier.services.dataset_pages import page_of_version
from classifier.services.dataset_restoring import restore_version
from classifier.services.datasets import freeze_dataset_version
from tests.pictures import make_jpeg
from tests.unit.classifier.conftest import upload_pictures


def freeze(project: Project) -> DatasetVersion:
    return freeze_dataset_version(project, validation_percentage=10, testing_percentage=10, by=project.owner)


def sample_of(project: Project, label: str, place: int = 0) -> Sample:
    return Sample.objects.filter(project=project, image_class__name=label).order_by("pk")[place]


def change_everything(project: Project) -> dict[str, str]:
    """Move, delete, resplit, regroup and add a picture; return their sha256s by what happened."""
    moved, deleted, resplit = (sample_of(project, label) for label in ("red", "green", "blue"))
    samples.move_samples(project, samples.pick(project, [moved.pk]), to=project.classes.get(name="blue"), by=None)
    samples.delete_samples(project, samples.pick(project, [deleted.pk]), by=None)
    split = "test" if resplit.split != "test" else "training"
    samples.set_split(project, samples.pick(project, [resplit.pk]), split, by=None)
    samples.set_group(project, samples.pick(project, [sample_of(project, "red").pk]), "clip", by=None)
    upload_pictures(project, [("new.jpg", "yellow", make_jpeg(4321))])
    found = {"moved": moved, "went": deleted, "resplit": resplit, "came": sample_of(project, "yellow")}
    return {kind: sample.image.sha256 for kind, sample in found.items()}


def test_compare_states() -> None:
    before = {"a": Place(1, "test"), "b": Place(1, "test"), "c": Place(1, "test"), "d": Place(1, "test")}
    after = {"a": Place(1, "test"), "b": Place(2, "training"), "c": Place(1, ""), "e": Place(1, "")}
    found = compare_states(before, after)
    kinds = {kind: [one.sha256 for one in differences] for kind, differences in vars(found).items()}
    assert kinds == {"came": ["e"], "went": ["d"], "moved": ["b"], "resplit": ["b"]}


def test_version_is_compared_with_now_and_with_another(filled: Project) -> None:
    first = freeze(filled)
    expected = change_everything(filled)
    now = compare_states(state_of_version(first), current_state(filled))
    assert {kind: [one.sha256 for one in found] for kind, found in vars(now).items()} == {
        kind: [sha256] for kind, sha256 in expected.items()
    }
    later = compare_states(state_of_version(first), state_of_version(freeze(filled)))
    assert [one.sha256 for one in later.came] == [expected["came"]]
    assert (later.went, later.moved) == (now.went, now.moved)


def test_restored_version_is_the_same_version(filled: Project) -> None:
    first = freeze(filled)
    change_everything(filled)
    second = freeze(filled)
    assert second != first
    act, purged = restore_version(first, by=filled.owner)
    assert (freeze(filled), purged) == (first, 0)
    undo(act, by=filled.owner)
    assert freeze(filled) == second


def test_restoring_keeps_what_has_no_class(filled: Project) -> None:
    first = freeze(filled)
    upload_pictures(filled, [("new.jpg", "red", make_jpeg(4321))])
    new = sample_of(filled, "red", 6)
    samples.unlabel_samples(filled, samples.pick(filled, [new.pk]), by=None)
    act, _ = restore_version(first, by=filled.owner)
    new.refresh_from_db()
    assert (act.count, new.deleted_at) == (0, None)


def test_class_that_is_gone_comes_back_under_a_free_name(filled: Project) -> None:
    first = freeze(filled)
    red = filled.classes.get(name="red")
    pictures = Sample.objects.filter(image_class=red)
    samples.move_samples(filled, pictures, to=filled.classes.get(name="blue"), by=None)
    red.delete()
    ImageClass.objects.create(project=filled, name="red")
    restore_version(first, by=filled.owner)
    assert freeze(filled) == first
    assert set(filled.classes.values_list("name", flat=True)) == {"red", "red (2)", "green", "blue"}


def test_purged_pictures_are_told(trained: ModelVersion, as_owner: Client) -> None:
    project = trained.project
    gone = samples.pick(project, [sample_of(project, "red").pk])
    samples.delete_samples(project, gone, by=None)
    samples.purge_samples(project)
    assert restore_version(trained.dataset_version, by=None)[1] == 1
    page = as_owner.get(f"/projects/{project.slug}/dataset-versions/1/").content.decode()
    assert "1 of its pictures was deleted for good since" in page
    assert page.count("deleted for good</span>") == 1


def test_pages_end_where_they_should(filled: Project) -> None:
    version, seen, after = freeze(filled), [], ""
    while True:
        page, after, count = page_of_version(version, after=after, size=7)
        seen += [picture.sha256 for picture in page]
        if not after:
            break
    assert (seen, count) == ([row[0] for row in sorted(state_of_version(version).items())], 18)


def test_page_shows_a_class_and_a_split(filled: Project) -> None:
    version = freeze(filled)
    red = filled.classes.get(name="red")
    page, _, count = page_of_version(version, class_id=red.pk, split="test", size=50)
    assert ({(picture.label, picture.split) for picture in page}, count) == ({("red", "test")}, 1)


def test_pages_for_people(trained: ModelVersion, as_owner: Client) -> None:
    project, home = trained.project, f"/projects/{trained.project.slug}/dataset-versions/"
    change_everything(project)
    assert "Dataset version 1" in as_owner.get(home).content.decode()
    assert as_owner.get(f"{home}1/?class_id=x&split=y&after=\0").status_code == 200
    shown = as_owner.get(f"{home}1/compare").content.decode()
    for words in ("1 picture came", "1 picture went", "1 picture in another class", "1 picture in another split"):
        assert words in shown
    assert "1 picture went" in as_owner.get(f"{home}1/compare?show=went&after=0").content.decode()
    assert as_owner.get(f"{home}1/compare?with=9").status_code == 404
    assert "There is no difference" in as_owner.get(f"{home}1/compare?with=1").content.decode()
    answer = as_owner.post(f"{home}1/restore", follow=True).content.decode()
    assert "The pictures are those of dataset version 1 again, which changed 5 pictures." in answer
    assert Change.objects.filter(kind="restore_dataset", created_by=project.owner).count() == 1


def test_api(trained: ModelVersion, as_owner: Client) -> None:
    home = f"/api/v1/projects/{trained.project.slug}/dataset-versions"
    expected = change_everything(trained.project)
    (listed,) = as_owner.get(home).json()
    assert (listed["pictures"], listed["model_versions"], listed["splits"]["test"]) == (18, [1], 3)
    page = as_owner.get(f"{home}/1?size=17").json()
    assert len(as_owner.get(f"{home}/1?after={page['next']}").json()["samples"]) == 1
    compared = as_owner.get(f"{home}/1/compare?kind=moved").json()
    assert [compared[kind] for kind in ("came", "went", "moved", "resplit")] == [1, 1, 1, 1]
    (moved,) = compared["differences"]
    assert (moved["sha256"], moved["class_before"], moved["class_after"]) == (expected["moved"], "red", "blue")
    restored = as_owner.post(f"{home}/1/restore").json()
    assert (restored["changed"], restored["purged"]) == (5, 0)


@pytest.mark.parametrize("page", ["dataset-versions/", "dataset-versions/1/", "dataset-versions/1/compare"])
def test_number_of_queries_does_not_grow(
    page: str, trained: ModelVersion, as_owner: Client, django_assert_max_num_queries: Any
) -> None:
    upload_pictures(trained.project, [(f"{n}.jpg", f"class {n % 9}", make_jpeg(7000 + n)) for n in range(20)])
    for _ in range(2):
        upload_pictures(trained.project, [("more.jpg", "more", make_jpeg(Sample.objects.count() + 9999))])
        freeze(trained.project)
    as_owner.get("/account/")  # the first request of a session notes where it is
    with django_assert_max_num_queries(20):
        assert as_owner.get(f"/projects/{trained.project.slug}/{page}").status_code == 200
