"""The audit log: who has done what, filtered, taken away, pruned, and nothing secret in it."""

import csv
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.models import AuditEntry, ModelVersion, Project
from classifier.roles import Role
from classifier.services import audit_log, members, share_links, sign_in, trash
from classifier.services.accounts import create_api_key
from classifier.services.audit_log import ACTIONS, record
from classifier.services.model_versions import promote
from classifier.services.notices import add_webhook
from tests.unit.classifier.conftest import PASSWORD

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def as_administrator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("head", password=PASSWORD))
    return client


def actions() -> set[str]:
    return set(AuditEntry.objects.values_list("action", flat=True))


def test_every_action_is_written_somewhere_and_none_is_unknown() -> None:
    sources = "".join(
        path.read_text() for folder in ("services", "views") for path in (ROOT / "classifier" / folder).rglob("*.py")
    )
    written = set(re.findall(r'record\(\s*"([a-z_.]+)"', sources)) | {"user.administrator", "user.no_administrator"}
    assert written == set(ACTIONS)
    with pytest.raises(KeyError):
        record("user.deleeted")


def test_acts_are_written_down_with_who_and_what(trained: ModelVersion, owner: User, stranger: User) -> None:
    project = trained.project
    promote(trained, by=owner)
    members.add_member(project, "stranger", Role.EDITOR, by=owner)
    share_links.create_link(project, by=owner)
    trash.delete_project(project)
    assert {"project.created", "version.promoted", "member.added", "share_link.created", "project.deleted"} <= actions()
    entry = AuditEntry.objects.get(action="member.added")
    assert (entry.user, entry.username, entry.about) == (owner, "owner", "Colours")
    assert entry.details == {"member": "stranger", "role": "editor"}


def test_key_and_page_tell_who_and_from_where(owner: User, client: Client) -> None:
    key = create_api_key(owner, "test")[1]
    headers = {"Authorization": f"Bearer {key}"}
    body = {"name": "Birds"}
    client.post("/api/v1/projects", body, "application/json", headers=headers, REMOTE_ADDR="192.0.2.7")
    made = AuditEntry.objects.get(action="project.created")
    assert (made.username, made.address, made.about) == ("owner", "192.0.2.7", "Birds")
    slug = Project.objects.get().slug
    client.delete(f"/api/v1/projects/{slug}", headers=headers, REMOTE_ADDR="192.0.2.7")
    gone = AuditEntry.objects.get(action="project.deleted")
    assert (gone.username, gone.address) == ("owner", "192.0.2.7")


def test_signing_in_is_written_down(owner: User, client: Client) -> None:
    for password in ("wrong", PASSWORD):
        client.post(reverse("sign_in"), {"username": "owner", "password": password})
    client.post(reverse("sign_in"), {"username": "my-secret-passphrase", "password": "x"})
    assert {"sign_in", "sign_in.failed"} <= actions()
    assert not AuditEntry.objects.filter(about__contains="passphrase").exists()


def test_guesses_do_not_fill_the_log(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "MOST_RECORDED", 3)
    for number in range(10):
        sign_in.record_failure(f"user{number}", "192.0.2.1")
    sign_in.record_failure("user", "192.0.2.2")
    assert AuditEntry.objects.count() == 4


def test_nothing_secret_is_written(owner: User, trained: ModelVersion) -> None:
    key = create_api_key(owner, "test")[1]
    hook = add_webhook(owner, "https://example.org/services/T0/secret-path")
    link = share_links.create_link(trained.project, by=owner)
    invitation = members.invite(trained.project, Role.VIEWER, by=owner)
    written = str([vars(one) for one in AuditEntry.objects.all()])
    for secret in (key, key[:10], hook.secret, "secret-path", link.token, invitation.token):
        assert secret not in written


def test_page_is_filtered(as_administrator: Client, owner: User, stranger: User) -> None:
    record("key.created", "mine", by=owner)
    record("key.revoked", "another", by=stranger)
    old = AuditEntry.objects.create(action="user.enabled", about="long ago")
    AuditEntry.objects.filter(pk=old.pk).update(at=timezone.now() - timedelta(days=10))

    def shown(**asked: str) -> list[bool]:
        page = as_administrator.get(reverse("audit_log"), asked).content.decode()
        return [f">{about}" in page for about in ("mine", "another", "long ago")]

    assert shown() == [True, True, True]
    assert shown(who="OWNER") == [True, False, False]
    assert shown(action="key.revoked") == [False, True, False]
    week = (timezone.now() - timedelta(days=7)).date().isoformat()
    assert shown(since=week) == [True, True, False]
    assert shown(until=week) == [False, False, True]
    assert shown(since="nonsense", action="nonsense", before="nonsense") == [True, True, True]


def test_page_goes_on(as_administrator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.views.audit_log.SHOWN", 2)
    for number in range(3):
        record("key.created", f"key-{number}")
    first = as_administrator.get(reverse("audit_log")).content.decode()
    assert ("key-2" in first, "key-0" in first) == (True, False)
    (following,) = re.findall(r"before=(\d+)", first)
    assert "key-0" in as_administrator.get(reverse("audit_log"), {"before": following}).content.decode()


def test_csv_has_what_the_filter_lets_through_and_runs_nothing(as_administrator: Client, owner: User) -> None:
    record("key.created", "=1+1", by=owner)
    record("key.revoked", "other", by=owner)
    response: Any = as_administrator.get(reverse("audit_log_csv"), {"action": "key.created"})
    rows = list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert rows[0][:4] == ["when", "who", "action", "about"]
    assert [row[1:4] for row in rows[1:]] == [["owner", "key.created", "'=1+1"]]


def test_old_entries_are_deleted_unless_they_are_kept_for_ever(db: None, settings: Any) -> None:
    record("key.created")
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=400))
    record("key.revoked")
    settings.AUDIT_DAYS = 0
    audit_log.delete_old_entries()
    assert AuditEntry.objects.count() == 2
    settings.AUDIT_DAYS = 365
    audit_log.delete_old_entries()
    assert actions() == {"key.revoked"}
