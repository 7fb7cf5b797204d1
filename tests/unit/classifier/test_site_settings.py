"""The administrator sees the settings without their secrets, and sets a banner that everybody sees."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from redis.exceptions import RedisError

from classifier.services import site_settings
from poetsweb import described
from poetsweb.env import Environment
from tests.unit.classifier.conftest import PASSWORD

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import json
from pathlib import Path
import poetsweb.env as env
env.SOURCES.clear()
env.ENVIRONMENT = env.read_environment(Path({file!r}))
from poetsweb import described
described.ENVIRONMENT = env.ENVIRONMENT
print(json.dumps({{one.name: [one.value, one.source] for one in described.describe_settings({{}})}}))
"""


@pytest.fixture(autouse=True)
def _nothing_held() -> Iterator[None]:
    """Let no test see the banner of another."""
    site_settings._held["until"] = 0.0
    yield
    site_settings._held.update(text="", until=0.0)


@pytest.fixture
def as_administrator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("head", password=PASSWORD))
    return client


def described_with(tmp_path: Path, written: str, **given: str) -> dict[str, list[str]]:
    """Return value and source of each setting in a process with this `.env` and these variables."""
    file = tmp_path / ".env"
    file.write_text(written)
    environment = {"PATH": os.environ["PATH"], "POETSWEB_DATA": str(tmp_path), **given}
    code = CODE.format(file=str(file))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_every_setting_is_shown_with_its_description(as_administrator: Client) -> None:
    found = {one.name: one for one in site_settings.list_settings()}
    assert set(found) == set(Environment.model_fields)
    assert all(one.description and one.section for one in found.values())
    assert found["TRASH_DAYS"].default == "30"
    page = as_administrator.get(reverse("site_settings")).content.decode()
    assert all(f"<code>{name}</code>" in page for name in found)


def test_sources_are_told_apart_and_secrets_hidden(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("from-a-file")
    found = described_with(
        tmp_path,
        "TRASH_DAYS=7\nMAIL_URL=smtp://me:hunter2@mail.example.org\nPORT=8100\n",
        PORT="8200",
        SECRET_KEY_FILE=str(key),
        REDIS_URL="redis://:hunter2@example.org",
        DATABASE_URL="postgres://me:hunter2@example.org/db",
        WEIGHTS_URL="https://me:hunter2@mirror.example.org",
    )
    assert found["TRASH_DAYS"] == ["7", ".env"]
    assert found["PORT"] == ["8200", "environment"]
    assert found["SECRET_KEY"] == [described.HIDDEN, "file"]
    assert found["MAIL_URL"] == [described.HIDDEN, ".env"]
    assert found["AUDIT_DAYS"] == ["365", "default"]
    assert found["WEIGHTS_URL"] == ["https://…@mirror.example.org", "environment"]
    assert not {"hunter2", "from-a-file"} & set(str(found).replace(":", " ").replace("@", " ").split())
    assert "hunter2" not in str(found)


def test_without_the_example_settings_are_shown_all_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(described, "BASE_DIR", tmp_path)
    described._read_example.cache_clear()
    found = described.describe_settings({})
    described._read_example.cache_clear()
    assert {one.name for one in found} == set(Environment.model_fields)


def test_banner_is_shown_to_everybody_until_it_is_taken_away(as_administrator: Client, client: Client) -> None:
    assert "Closed" not in client.get(reverse("sign_in")).content.decode()
    as_administrator.post(reverse("site_banner"), {"banner": "Closed on <Friday>"})
    for one in (as_administrator.get("/"), client.get(reverse("sign_in"))):
        assert "Closed on &lt;Friday&gt;" in one.content.decode()
    cache.clear()
    site_settings._held["until"] = 0.0
    assert "Closed on" in client.get(reverse("sign_in")).content.decode()
    as_administrator.post(reverse("site_banner"), {"banner": ""})
    assert "Closed on" not in client.get(reverse("sign_in")).content.decode()


def test_long_banner_is_refused(as_administrator: Client) -> None:
    page = as_administrator.post(reverse("site_banner"), {"banner": "x" * 501}, follow=True).content.decode()
    assert "at most 500 characters" in page
    assert site_settings.get_banner() == ""


def test_pages_are_shown_without_a_cache(as_administrator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RedisError

    monkeypatch.setattr(site_settings, "cache", SimpleNamespace(get=fail, set=fail))
    as_administrator.post(reverse("site_banner"), {"banner": "Closed"})
    assert "Closed" in as_administrator.get("/").content.decode()


def test_banner_of_one_who_is_no_administrator_is_not_taken(as_owner: Client) -> None:
    assert as_owner.post(reverse("site_banner"), {"banner": "Closed"}).status_code == 404
    body = {"banner": "Closed"}
    assert as_owner.put("/api/v1/banner", body, "application/json").status_code == 404
    assert site_settings.get_banner() == ""


def test_api_sets_the_banner(as_administrator: Client) -> None:
    assert as_administrator.put("/api/v1/banner", {"banner": "Closed"}, "application/json").json() == {
        "banner": "Closed"
    }
    assert as_administrator.get("/api/v1/banner").json() == {"banner": "Closed"}
    shown = {one["name"]: one for one in as_administrator.get("/api/v1/settings").json()}
    assert shown["SECRET_KEY"]["value"] in ("", described.HIDDEN)
