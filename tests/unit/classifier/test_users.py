"""What the administrator does with accounts, and what keeps a site from being without one."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse

from classifier.models import AuditEntry, Project
from classifier.services import identities, mails, users
from classifier.services.accounts import create_api_key
from ml.errors import UserError
from tests.unit.classifier.conftest import PASSWORD


@pytest.fixture
def administrator(db: None) -> User:
    return User.objects.create_superuser("head", password=PASSWORD)


@pytest.fixture
def as_administrator(administrator: User) -> Client:
    client = Client()
    client.force_login(administrator)
    return client


def shown_link(response: Any) -> str:
    found = re.search(r'value="http://[^/]+(/set-password/[^"]+)"', response.content.decode())
    assert found
    return found[1]


def set_password(link: str, password: str) -> Any:
    client = Client()
    form = client.get(link, follow=True)
    return client.post(form.request["PATH_INFO"], {"new_password1": password, "new_password2": password}, follow=True)


def test_list_tells_what_each_has(filled: Project, as_administrator: Client) -> None:
    page = as_administrator.get(reverse("users")).content.decode()
    assert "owner" in page
    assert "head" in page
    (row,) = users.describe_users([filled.owner])
    assert (row.projects, row.bytes > 0, row.deleted_at) == (1, True, None)


def test_list_is_searched_and_paged(
    as_administrator: Client, administrator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "SHOWN", 2)
    for name in ("anna", "bert", "cleo"):
        User.objects.create_user(name, email=f"{name}@example.org")
    first = as_administrator.get(reverse("users")).content.decode()
    assert ("anna" in first, "bert" in first, "cleo" in first) == (True, True, False)
    second = as_administrator.get(reverse("users"), {"after": "bert"}).content.decode()
    assert ("anna" in second, "cleo" in second, "head" in second) == (False, True, True)
    found = as_administrator.get(reverse("users"), {"q": "cleo@exam"}).content.decode()
    assert ("cleo" in found, "anna" in found) == (True, False)


def test_new_user_sets_the_password_with_a_link_that_works_once(as_administrator: Client) -> None:
    made = as_administrator.post(reverse("users_new"), {"username": "anna"})
    assert made.status_code == 200
    link = shown_link(made)
    assert "new password" in Client().get(link, follow=True).content.decode().lower()
    set_password(link, PASSWORD)
    assert Client().login(username="anna", password=PASSWORD)
    assert "has been used" in Client().get(link, follow=True).content.decode()
    assert (
        "/set-password/"
        not in as_administrator.get(reverse("user", args=[User.objects.get(username="anna").pk])).content.decode()
    )


@pytest.mark.parametrize("name", ["", "owner", "OWNER", "with space", "x" * 151])
def test_name_that_cannot_be_is_refused(name: str, owner: User, as_administrator: Client) -> None:
    assert as_administrator.post(reverse("users_new"), {"username": name}).status_code == 422
    assert User.objects.count() == 2


def test_link_is_mailed_where_mail_is_set_up(as_administrator: Client, settings: Any) -> None:
    settings.MAIL_IS_SET_UP = True
    page = as_administrator.post(reverse("users_new"), {"username": "anna", "email": "anna@example.org"})
    assert "has been sent to anna@example.org" in page.content.decode()
    assert shown_link(page) in mail.outbox[0].body


def test_mail_that_fails_is_no_reason_to_fail(
    as_administrator: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no route")

    settings.MAIL_IS_SET_UP = True
    monkeypatch.setattr(mails, "send_mail", fail)
    page = as_administrator.post(reverse("users_new"), {"username": "anna", "email": "anna@example.org"})
    assert "Pass it on" in page.content.decode()


def test_password_is_reset_by_a_link_and_sessions_end(owner: User, as_owner: Client, as_administrator: Client) -> None:
    link = shown_link(as_administrator.post(reverse("user_link", args=[owner.pk])))
    assert as_owner.get(reverse("project_list")).status_code == 200
    set_password(link, "another-horse-10")
    assert as_owner.get(reverse("api_keys")).status_code == 302
    assert Client().login(username="owner", password="another-horse-10")
    assert not Client().login(username="owner", password=PASSWORD)


def test_weak_password_is_refused(owner: User, as_administrator: Client) -> None:
    link = shown_link(as_administrator.post(reverse("user_link", args=[owner.pk])))
    set_password(link, "12345678")
    assert Client().login(username="owner", password=PASSWORD)


def test_disabled_user_is_signed_out_and_the_keys_stop(
    owner: User, as_owner: Client, client: Client, as_administrator: Client
) -> None:
    headers = {"Authorization": f"Bearer {create_api_key(owner, 'test')[1]}"}
    link = shown_link(as_administrator.post(reverse("user_link", args=[owner.pk])))
    as_owner.get(reverse("project_list"))
    as_administrator.post(reverse("user_disable", args=[owner.pk]))
    assert as_owner.get(reverse("api_keys")).status_code == 302
    assert client.get("/api/v1/projects", headers=headers).status_code == 401
    assert not Client().login(username="owner", password=PASSWORD)
    assert "has been used" in Client().get(link, follow=True).content.decode()
    assert as_administrator.post(reverse("user_link", args=[owner.pk])).status_code == 302
    as_administrator.post(reverse("user_enable", args=[owner.pk]))
    assert client.get("/api/v1/projects", headers=headers).status_code == 200
    assert as_owner.get(reverse("api_keys")).status_code == 302  # the old session stays ended


def test_administrators_are_made_and_unmade(owner: User, as_owner: Client, as_administrator: Client) -> None:
    address = reverse("user_administrator", args=[owner.pk])
    as_administrator.post(address, {"wanted": "true"})
    assert as_owner.get(reverse("users")).status_code == 200
    as_administrator.post(address, {"wanted": "false"})
    assert as_owner.get(reverse("users")).status_code == 404


def test_nobody_shuts_themselves_or_the_last_one_out(
    administrator: User, owner: User, as_administrator: Client
) -> None:
    for act in ("user_disable", "user_administrator", "user_delete"):
        page = as_administrator.post(reverse(act, args=[administrator.pk]), {"wanted": "false"}, follow=True)
        assert "This is the last administrator" in page.content.decode()
    users.set_administrator(owner, True, by=administrator)
    for act in ("user_disable", "user_administrator", "user_delete"):
        page = as_administrator.post(reverse(act, args=[administrator.pk]), {"wanted": "false"}, follow=True)
        assert "This is your own account" in page.content.decode()
    administrator.refresh_from_db()
    assert administrator.is_active
    assert administrator.is_superuser


def test_disabled_user_does_not_become_administrator(owner: User, administrator: User) -> None:
    users.disable_user(owner, by=administrator)
    owner.refresh_from_db()
    with pytest.raises(UserError, match="disabled"):
        users.set_administrator(owner, True, by=administrator)


def test_page_tells_with_what_somebody_signs_in(owner: User, as_administrator: Client) -> None:
    identities.connect(owner, identities.Person("https://login.example.org", "1", "anna"))
    assert (
        "https://login.example.org, as anna" in as_administrator.get(reverse("user", args=[owner.pk])).content.decode()
    )


def test_what_was_done_is_in_the_log_without_the_link(
    owner: User, administrator: User, as_administrator: Client
) -> None:
    link = shown_link(as_administrator.post(reverse("user_link", args=[owner.pk])))
    as_administrator.post(reverse("user_disable", args=[owner.pk]))
    entries = AuditEntry.objects.filter(user=administrator)
    assert {"user.link", "user.disabled"} <= set(entries.values_list("action", flat=True))
    token = link.split("/")[-1]
    assert not any(token in str(vars(entry)) for entry in AuditEntry.objects.all())


@pytest.fixture
def ask(administrator: User, client: Client) -> Any:
    """Return what calls the API as an administrator."""
    headers = {"Authorization": f"Bearer {create_api_key(administrator, 'test')[1]}"}

    def call(method: str, path: str, body: Any = None) -> Any:
        given = {} if body is None else {"data": body, "content_type": "application/json"}
        return getattr(client, method)(f"/api/v1{path}", headers=headers, **given)

    return call


def test_api_does_what_the_pages_do(ask: Any, owner: User) -> None:
    made = ask("post", "/users", {"username": "anna", "email": "anna@example.org"})
    assert made.status_code == 201
    assert [one["username"] for one in ask("get", "/users").json()] == ["anna", "head", "owner"]
    assert [one["username"] for one in ask("get", "/users?search=anna&after=a").json()] == ["anna"]
    link = ask("post", "/users/anna/password-link").json()
    assert "/set-password/" in link["address"]
    changed = ask("patch", "/users/anna", {"is_administrator": True, "quota_gb": 5}).json()
    assert (changed["is_administrator"], changed["quota_gb"], changed["quota_pictures"]) == (True, 5, None)
    assert ask("patch", "/users/anna", {"is_active": False}).json()["is_active"] is False
    assert ask("patch", "/users/anna", {"quota_pictures": -1}).status_code == 422
    assert ask("patch", "/users/head", {"is_active": False}).status_code == 409
    assert ask("delete", "/users/owner").status_code == 204
    assert ask("get", "/users/owner").json()["leaves_at"]
    assert ask("post", "/users/owner/restore").status_code == 204
    assert ask("post", "/users/owner/restore").status_code == 409
    assert ask("get", "/users/nobody").status_code == 404
    entries = ask("get", "/audit-log?action=user.deleted").json()
    assert [(one["username"], one["about"]) for one in entries] == [("head", "owner")]


def test_api_is_for_administrators_alone(owner: User, client: Client) -> None:
    headers = {"Authorization": f"Bearer {create_api_key(owner, 'test')[1]}"}
    for path in ("/users", "/users/owner", "/audit-log"):
        assert client.get(f"/api/v1{path}", headers=headers).status_code == 404
    assert client.delete("/api/v1/users/owner", headers=headers).status_code == 404
