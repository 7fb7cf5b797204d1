"""Pictures that people without an account send by a link, and what becomes of them."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from classifier.models import Contribution, ImageClass, Project, Sample, ShareLink, Upload
from classifier.roles import Role
from classifier.services import classes, contributions, members, purging, share_links, trash
from classifier.services.file_checks import list_files
from tests.datasets import coloured_pictures

RED = [coloured_pictures(3, seed=900)[f"red/{number}.jpg"] for number in range(3)]


@pytest.fixture
def link(filled: Project, owner: User) -> ShareLink:
    return share_links.create_link(filled, by=owner, kind="upload")


@pytest.fixture
def red(filled: Project) -> ImageClass:
    return ImageClass.objects.get(project=filled, name="red")


def send(link: ShareLink, image_class: ImageClass | None, *pictures: bytes, sender: str = "") -> Any:
    files = [SimpleUploadedFile(f"{place}.jpg", data) for place, data in enumerate(pictures)]
    chosen = {"class": str(image_class.pk)} if image_class else {}
    return Client().post(reverse("shared", args=[link.token]), {**chosen, "image": files, "sender": sender})


def test_sent_pictures_wait_and_become_samples_when_accepted(
    link: ShareLink, red: ImageClass, filled: Project, as_owner: Client
) -> None:
    assert "2 pictures have arrived" in send(link, red, *RED[:2], sender="Kim").content.decode()
    assert Sample.objects.count() == 18
    assert "2 pictures sent by link" in as_owner.get(reverse("project", args=["colours"])).content.decode()
    page = as_owner.get(reverse("waiting", args=["colours"])).content.decode()
    assert "from Kim" in page
    first, second = Contribution.objects.all()
    thumbnail = as_owner.get(reverse("waiting_thumbnail", args=["colours", first.pk]))
    assert thumbnail.content.startswith(b"\xff\xd8")
    call_command("check_files")
    as_owner.post(reverse("waiting", args=["colours"]), {"id": [first.pk], "accept": "1"})
    assert Sample.objects.filter(image_class=red).count() == 7
    as_owner.post(reverse("waiting", args=["colours"]), {"id": [second.pk], "refuse": "1"})
    assert not Contribution.objects.exists()
    assert Sample.objects.count() == 19
    assert not [path for path in list_files("") if path.startswith("contributions/")]


def test_what_is_no_picture_is_told_and_the_others_arrive(link: ShareLink, red: ImageClass) -> None:
    page = send(link, red, b"no picture", RED[0]).content.decode()
    assert "1 picture has arrived" in page
    assert "could not be used" in page
    assert Contribution.objects.count() == 1


def test_class_must_be_chosen_and_be_of_the_project(link: ShareLink, owner: User) -> None:
    other = ImageClass.objects.create(project=Project.objects.create(name="x", slug="x", owner=owner), name="theirs")
    for chosen in (None, other):
        response = send(link, chosen, RED[0])
        assert response.status_code == 422
        assert "Choose what the pictures show" in response.content.decode()
    assert not Contribution.objects.exists()


def test_same_picture_twice_waits_once(link: ShareLink, red: ImageClass) -> None:
    send(link, red, RED[0])
    send(link, red, RED[0])
    assert Contribution.objects.count() == 1


def test_number_that_waits_is_bounded(link: ShareLink, red: ImageClass, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contributions, "MOST_WAITING", 1)
    send(link, red, RED[0])
    response = send(link, red, RED[1])
    assert response.status_code == 409
    assert Contribution.objects.count() == 1


def test_link_for_sending_does_not_classify(link: ShareLink, client: Client) -> None:
    answer = client.post(f"/api/v1/shared/{link.token}/classify", {"image": SimpleUploadedFile("x.jpg", RED[0])})
    assert answer.status_code == 404


def test_class_that_is_gone_leaves_the_picture_without_one(
    link: ShareLink, red: ImageClass, filled: Project, owner: User
) -> None:
    send(link, red, RED[0])
    Contribution.objects.update(image_class=None)
    assert contributions.accept(filled, [Contribution.objects.get().pk], by=owner).stored == 1
    assert Sample.objects.filter(image_class=None).count() == 1


def test_merged_class_is_the_one_it_was_merged_into(
    link: ShareLink, red: ImageClass, filled: Project, owner: User
) -> None:
    send(link, red, *RED)
    blue = filled.classes.get(name="blue")
    classes.merge_class(red, into=blue, by=owner)
    before = Sample.objects.filter(image_class=blue).count()
    assert contributions.accept(filled, Contribution.objects.values_list("pk", flat=True), by=owner).stored == 3
    assert Sample.objects.filter(image_class=blue).count() == before + 3
    assert not filled.classes.filter(name="red", deleted_at=None).exists()


def test_what_the_quota_has_no_room_for_waits_on(
    link: ShareLink, red: ImageClass, filled: Project, as_owner: Client, settings: Any
) -> None:
    send(link, red, *RED)
    settings.QUOTA_PROJECT_PICTURES = Sample.objects.filter(project=filled).count() + 1
    ids = list(Contribution.objects.values_list("pk", flat=True))
    page = as_owner.post(reverse("waiting", args=["colours"]), {"id": ids, "accept": "1"}, follow=True)
    assert "1 picture is in the project now." in page.content.decode()
    assert "2 pictures still wait. A project has room for" in page.content.decode()
    assert [default_storage.exists(one.path) for one in Contribution.objects.all()] == [True, True]


def test_what_waits_counts_for_the_quota(link: ShareLink, red: ImageClass, filled: Project, settings: Any) -> None:
    settings.QUOTA_PROJECT_PICTURES = Sample.objects.filter(project=filled).count() + 1
    assert send(link, red, RED[0]).status_code == 200
    refused = send(link, red, RED[1])
    assert refused.status_code == 409
    assert "There is no room for more pictures." in refused.content.decode()
    assert "owner" not in refused.content.decode()
    assert Contribution.objects.count() == 1


@pytest.mark.parametrize(
    ("sender", "tag"), [("Kim", "|from Kim|"), ("a|b", "|from a b|"), ("K" * 50, f"|from {'K' * 45}|")]
)
def test_accepted_pictures_tell_who_sent_them(
    sender: str, tag: str, link: ShareLink, red: ImageClass, filled: Project, owner: User
) -> None:
    send(link, red, RED[0], sender=sender)
    send(link, red, RED[1])
    contributions.accept(filled, Contribution.objects.values_list("pk", flat=True), by=owner)
    assert sorted(Sample.objects.order_by("-pk").values_list("tags", flat=True)[:2]) == ["", tag]


def test_picture_that_is_gone_keeps_the_others_from_nothing(
    link: ShareLink, red: ImageClass, filled: Project, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contributions, "IN_MEMORY", 1)
    send(link, red, *RED)
    lost, *_ = Contribution.objects.all()
    default_storage.delete(lost.path)
    assert contributions.accept(filled, Contribution.objects.values_list("pk", flat=True), by=owner).stored == 2
    assert not Contribution.objects.exists()
    assert Upload.objects.filter(source="Sent by link").count() == 1


def test_only_editors_look_at_what_waits(
    link: ShareLink, red: ImageClass, filled: Project, owner: User, as_stranger: Client
) -> None:
    send(link, red, RED[0])
    pk = Contribution.objects.get().pk
    addresses = [reverse("waiting", args=["colours"]), reverse("waiting_thumbnail", args=["colours", pk])]
    assert [as_stranger.get(address).status_code for address in addresses] == [404, 404]
    members.add_member(filled, "stranger", Role.VIEWER, by=owner)
    assert [as_stranger.get(address).status_code for address in addresses] == [403, 403]


def test_purged_project_leaves_none_of_them(link: ShareLink, red: ImageClass, filled: Project) -> None:
    send(link, red, RED[0])
    trash.delete_project(filled)
    purging.purge_pictures(filled.pk, lambda _: None)
    purging.purge_project(filled.pk)
    assert list(list_files("")) == []


@pytest.mark.parametrize("works", [True, False])
def test_large_pictures_are_taken_with_a_link_that_works(works: bool, link: ShareLink, red: ImageClass) -> None:
    if not works:
        share_links.revoke_link(link)
    response = send(link, red, b"\xff" * (2 * 2**20))
    assert response.status_code == (200 if works else 413)
