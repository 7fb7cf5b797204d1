"""Nobody sees what is not theirs: every address there is, for a stranger and for nobody."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from classifier.models import (
    ModelVersion,
    Webhook,
)
from classifier.services.accounts import create_api_key, revoke_api_key
from classifier.services.notices import add_webhook
from tests.unit.classifier.addresses import (
    ADMINISTRATORS,
    PROJECT_PAGES,
    address,
    arguments,
    surround,
)


@pytest.fixture(autouse=True)
def _surrounded(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Give a trained version what each address needs."""
    if "trained" in request.fixturenames:
        surround(request.getfixturevalue("trained"), tmp_path)


def test_the_list_of_project_pages_is_not_empty() -> None:
    assert {"project", "class", "upload", "job", "version", "classify", "thumbnail", "pictures"} <= set(PROJECT_PAGES)


@pytest.mark.parametrize("name", sorted(ADMINISTRATORS))
def test_page_is_open_to_administrators_alone(
    name: str, trained: ModelVersion, owner: User, client: Client, as_owner: Client
) -> None:
    asked = address(name, arguments(trained))
    for method in ("GET", "POST"):
        assert as_owner.generic(method, asked).status_code == 404
        assert client.generic(method, asked)["Location"].startswith("/sign-in")
    User.objects.filter(pk=owner.pk).update(is_superuser=True)
    assert as_owner.get(asked).status_code in (200, 405)  # 405: it wants a POST


def test_api_list_shows_only_ones_own(trained: ModelVersion, stranger: User, client: Client) -> None:
    _, key = create_api_key(stranger, "test")
    assert client.get("/api/v1/projects", headers={"Authorization": f"Bearer {key}"}).json() == []


def test_revoked_key_opens_nothing(owner: User, client: Client) -> None:
    row, key = create_api_key(owner, "test")
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get("/api/v1/projects", headers=headers).status_code == 200
    revoke_api_key(row)
    assert client.get("/api/v1/projects", headers=headers).status_code == 401


def test_key_of_a_switched_off_user_opens_nothing(owner: User, client: Client) -> None:
    _, key = create_api_key(owner, "test")
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert client.get("/api/v1/projects", headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_key_is_stored_hashed(owner: User) -> None:
    row, key = create_api_key(owner, "test")
    row.refresh_from_db()
    assert key not in {str(getattr(row, field.name)) for field in row._meta.fields}
    assert row.prefix == key[:10]


def test_stranger_cannot_revoke_anothers_key(owner: User, as_stranger: Client) -> None:
    row, _ = create_api_key(owner, "test")
    assert as_stranger.post(reverse("revoke_key", args=[row.pk])).status_code == 404
    row.refresh_from_db()
    assert row.revoked_at is None


def test_stranger_cannot_use_anothers_webhook(owner: User, as_stranger: Client) -> None:
    hook = add_webhook(owner, "https://example.org/hook")
    for name in ("webhook_test", "webhook_remove"):
        assert as_stranger.post(reverse(name, args=[hook.pk])).status_code == 404
    assert "example.org" not in as_stranger.get(reverse("notifications")).content.decode()
    assert Webhook.objects.filter(pk=hook.pk).exists()


def test_picture_of_another_project_is_not_opened_by_its_sha256(
    trained: ModelVersion, stranger: User, as_stranger: Client
) -> None:
    from classifier.services.projects import create_project

    mine = create_project("Mine", by=stranger)
    sha256 = arguments(trained)["sha256"]
    assert as_stranger.get(reverse("picture", args=[mine.slug, sha256])).status_code == 404
    assert as_stranger.get(reverse("thumbnail", args=[mine.slug, sha256, 160])).status_code == 404


def test_pages_refuse_posts_without_a_token(trained: ModelVersion, owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    response = client.post(reverse("promote", args=[trained.project.slug, 1]))
    assert response.status_code == 403
    response = client.post(f"/api/v1/projects/{trained.project.slug}/train", {}, content_type="application/json")
    assert response.status_code in (401, 403)
    assert "error" in response.json()
