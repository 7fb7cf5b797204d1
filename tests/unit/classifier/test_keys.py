"""Keys open what their scope says, until they expire; noting their use neither delays nor breaks an answer."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import ApiKey, ModelVersion
from classifier.services import accounts, prediction
from classifier.services.accounts import NotAllowed, create_api_key, find_key
from tests.pictures import make_jpeg
from tests.unit.classifier.test_pages import FakeEngine


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def classifying(owner: User) -> str:
    return create_api_key(owner, "camera", scope="classify")[1]


@pytest.mark.parametrize("query", ["", "?"])
def test_key_to_classify_classifies(
    query: str, trained: ModelVersion, classifying: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "get_engine", lambda name: FakeEngine())
    address = f"/api/v1/projects/{trained.project.slug}/classify{query}"
    picture = {"image": SimpleUploadedFile("x.jpg", make_jpeg(1))}
    assert client.post(address, picture, headers=bearer(classifying)).status_code == 200


def test_key_to_classify_downloads_no_version(trained: ModelVersion, classifying: str, client: Client) -> None:
    address = reverse("hub_version", args=[trained.project.slug, 1])
    assert client.get(f"{address}?key={classifying}").status_code == 401


def test_expired_key_opens_nothing(trained: ModelVersion, owner: User, client: Client) -> None:
    row, key = create_api_key(owner, "for a day", days=1)
    slug = trained.project.slug
    assert client.get("/api/v1/projects", headers=bearer(key)).status_code == 200
    assert prediction.find_live_by_key(key, slug) is not None
    ApiKey.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get("/api/v1/projects", headers=bearer(key)).status_code == 401
    assert prediction.find_live_by_key(key, slug) is None


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_days_are_bounded(days: int, owner: User, as_owner: Client) -> None:
    with pytest.raises(NotAllowed, match="1 to 3650 days"):
        create_api_key(owner, "x", days=days)
    page = as_owner.post(reverse("api_keys"), {"name": "x", "scope": "everything", "days": days})
    assert page.status_code == 422
    answer = as_owner.post("/api/v1/keys", {"name": "x", "days": days}, "application/json")
    assert answer.status_code == 422
    with pytest.raises(CommandError, match="1 to 3650 days"):
        call_command("create_api_key", "owner", days=days)


def test_page_creates_and_shows_a_limited_key(as_owner: Client) -> None:
    page = as_owner.post(reverse("api_keys"), {"name": "camera", "scope": "classify", "days": "7"}).content.decode()
    assert 'value="pw_' in page
    row = ApiKey.objects.get()
    assert (row.scope, row.expires_at is not None) == ("classify", True)
    ApiKey.objects.update(expires_at=timezone.now())
    page = as_owner.get(reverse("api_keys")).content.decode()
    assert "<td>classify</td>" in page
    assert "expired" in page


def test_api_creates_lists_and_revokes_keys(as_owner: Client, as_stranger: Client) -> None:
    made = as_owner.post("/api/v1/keys", {"name": "camera", "scope": "classify", "days": 7}, "application/json")
    assert made.status_code == 201
    found = find_key(made.json()["key"])
    assert found is not None
    (listed,) = as_owner.get("/api/v1/keys").json()
    assert (listed["id"], listed["scope"], "key" in listed) == (found.pk, "classify", False)
    assert as_stranger.get("/api/v1/keys").json() == []
    assert as_stranger.delete(f"/api/v1/keys/{found.pk}").status_code == 404
    assert as_owner.delete(f"/api/v1/keys/{found.pk}").status_code == 204
    assert find_key(made.json()["key"]) is None


def test_command_creates_a_limited_key(owner: User) -> None:
    said = StringIO()
    call_command("create_api_key", "owner", scope="classify", days=7, stdout=said)
    row = find_key(said.getvalue().strip())
    assert row is not None
    assert (row.scope, row.expires_at is not None) == ("classify", True)


def test_use_is_noted_once_a_minute(owner: User, django_assert_num_queries: Any) -> None:
    row, key = create_api_key(owner, "x")
    find_key(key)
    row.refresh_from_db()
    assert row.last_used_at is not None
    with django_assert_num_queries(1):
        find_key(key)


def busy(statement: str) -> Callable[..., Any]:
    """Return what makes the database fail at such statements, as it does while another process writes."""

    def run(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith(statement):
            raise OperationalError("database is locked")
        return execute(sql, *rest)

    return run


@pytest.mark.parametrize("statement", ["UPDATE", "SAVEPOINT"])
def test_use_that_cannot_be_noted_breaks_nothing(statement: str, owner: User) -> None:
    row, key = create_api_key(owner, "x")
    with connection.execute_wrapper(busy(statement)):
        assert find_key(key) is not None
    row.refresh_from_db()
    assert row.last_used_at is None


def test_noting_a_use_waits_for_no_other_writer(owner: User) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL locks rows, and those that are locked are left out")
    waits: list[int] = []

    def spy(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE"):
            waits.append(timeout())
        return execute(sql, *rest)

    usual = timeout()
    _, key = create_api_key(owner, "x")
    accounts._noted.clear()
    with connection.execute_wrapper(spy):
        find_key(key)
    assert waits == [0]
    assert timeout() == usual > 0


def timeout() -> int:
    """Return for how many milliseconds this connection waits for others."""
    assert connection.connection is not None
    return int(connection.connection.execute("PRAGMA busy_timeout").fetchone()[0])
