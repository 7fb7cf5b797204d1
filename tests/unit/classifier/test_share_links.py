"""Links with which people without an account ask the live version."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import Image, ModelVersion, Project, ShareLink
from classifier.roles import Role
from classifier.services import members, share_links, trash
from ml.errors import UserError
from tests.datasets import coloured_pictures


@pytest.fixture
def link(trained: ModelVersion, owner: User, monkeypatch: pytest.MonkeyPatch) -> ShareLink:
    monkeypatch.setattr(share_links, "HOUR", 10**12)  # no other one may begin in the middle of a test
    return share_links.create_link(trained.project, by=owner, per_hour=3)


def picture() -> SimpleUploadedFile:
    return SimpleUploadedFile("red.jpg", coloured_pictures(1)["red/0.jpg"])


def ask(link: ShareLink, client: Client) -> Any:
    return client.post(f"/api/v1/shared/{link.token}/classify", {"image": picture()})


def test_stranger_classifies_and_nothing_is_stored(link: ShareLink, client: Client) -> None:
    before = Image.objects.count()
    page = client.get(reverse("shared", args=[link.token]))
    assert page.status_code == 200
    assert "camera=(self)" in page["Permissions-Policy"]
    answer = client.post(reverse("shared", args=[link.token]), {"image": picture()}).content.decode()
    assert "<h2>blue</h2>" in answer  # what the version of these tests always says
    said = ask(link, client).json()
    assert said["predictions"][0]["classes"][0]["name"] == "blue"
    assert Image.objects.count() == before


def test_page_shows_nothing_else_of_the_project(link: ShareLink, client: Client) -> None:
    page = client.get(reverse("shared", args=[link.token])).content.decode()
    answer = client.post(reverse("shared", args=[link.token]), {"image": picture(), "why": ""}).content.decode()
    for text in (page, answer):
        assert "/projects/" not in text
        assert "owner" not in text
        assert "data-why" not in text


@pytest.mark.parametrize("why", ["revoked", "expired", "made up", "project in the trash"])
def test_link_that_is_over_opens_nothing(why: str, link: ShareLink, client: Client) -> None:
    if why == "revoked":
        share_links.revoke_link(link)
    if why == "expired":
        ShareLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    if why == "made up":
        link.token = "made-up"
    if why == "project in the trash":
        trash.delete_project(link.project)
    for response in (client.get(reverse("shared", args=[link.token])), ask(link, client)):
        assert response.status_code == 404
        assert "does not work any more" in response.content.decode()


def test_pictures_of_an_hour_are_bounded(link: ShareLink, client: Client) -> None:
    address = reverse("shared", args=[link.token])
    assert ask(link, client).status_code == 200
    assert client.post(address, {"image": [picture(), picture()]}).status_code == 200
    assert client.post(address, {"image": picture()}).status_code == 429
    assert ask(link, client).status_code == 429
    cache.clear()  # an hour later
    assert ask(link, client).status_code == 200


@pytest.mark.usefixtures("_cache_away")
def test_pictures_of_an_hour_are_bounded_while_redis_is_away(link: ShareLink, client: Client) -> None:
    assert [ask(link, client).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_project_without_a_live_version_says_so(project: Project, owner: User, client: Client) -> None:
    link = share_links.create_link(project, by=owner)
    assert "not ready yet" in client.get(reverse("shared", args=[link.token])).content.decode()
    assert ask(link, client).status_code == 409


def test_owner_makes_and_revokes_links(trained: ModelVersion, as_owner: Client) -> None:
    address = reverse("share", args=["colours"])
    assert as_owner.post(address, {"kind": "classify", "days": 0, "per_hour": 5}).status_code == 422
    assert as_owner.post(address, {"kind": "classify", "days": 5, "per_hour": 5}).status_code == 302
    link = ShareLink.objects.get()
    page = as_owner.get(address).content.decode()
    assert share_links.link_address(link) in page
    drawn = as_owner.get(reverse("share_code", args=["colours", link.pk]))
    assert drawn["Content-Type"] == "image/svg+xml"
    assert b"<svg" in drawn.content
    as_owner.post(reverse("share_revoke", args=["colours", link.pk]))
    assert link.token not in as_owner.get(address).content.decode()


def test_number_of_links_is_bounded(project: Project, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_links, "MOST_LINKS", 1)
    share_links.create_link(project, by=owner)
    with pytest.raises(share_links.TooManyLinks):
        share_links.create_link(project, by=owner)
    with pytest.raises(UserError):
        share_links.create_link(project, by=owner, days=9999)


def test_member_who_only_classifies_is_not_shown_others_pictures(
    trained: ModelVersion, owner: User, as_stranger: Client
) -> None:
    members.add_member(trained.project, "stranger", Role.CLASSIFIER, by=owner)
    address = reverse("classify", args=["colours"])
    answer = as_stranger.post(address, {"image": picture(), "why": ""}).content.decode()
    assert "<h2>blue</h2>" in answer
    assert "data-why" not in answer
    assert "/images/" not in answer
