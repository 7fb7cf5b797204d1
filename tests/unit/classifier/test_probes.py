"""What balancers, Docker and Kubernetes ask a web process."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.utils import OperationalError
from django.test import Client
from redis.exceptions import ConnectionError as RedisAway

from classifier import schema
from classifier.outages import StorageAway
from classifier.services import probes

GOOD = dict.fromkeys(("database", "migrations", "broker", "storage"), "ok")


@pytest.fixture(autouse=True)
def _all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "prober", probes.Prober())
    monkeypatch.setattr("classifier.probes.prober", probes.prober)
    for name in GOOD:
        monkeypatch.setitem(probes.PARTS, name, lambda: "ok")


def test_process_lives_whatever_is_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask without a database, which this test may not touch."""
    monkeypatch.setattr(probes.Prober, "look", lambda self: pytest.fail("it asked"))
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_site_is_ready(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", **GOOD})
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_any_name_and_plain_http_will_do(client: Client, settings: Any, path: str) -> None:
    """Answer what asks by the address of a container, behind no proxy."""
    settings.SECURE_SSL_REDIRECT = True
    assert client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200
    assert client.post(path).status_code == 405


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("database", OperationalError("postgres://user:hunter2@db/poets")),
        ("broker", RedisAway("redis://:hunter2@broker")),
        ("storage", StorageAway("hunter2")),
    ],
)
def test_what_is_away_is_named_and_no_secret_told(
    client: Client, monkeypatch: pytest.MonkeyPatch, part: str, error: Exception
) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setitem(probes.PARTS, part, fail)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        503,
        {**GOOD, "status": "not ready", part: "does not answer"},
    )
    assert "hunter2" not in answer.content.decode()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    end, asked = threading.Event(), [0]

    def hang() -> str:
        asked[0] += 1
        end.wait()
        return "ok"

    monkeypatch.setitem(probes.PARTS, "storage", hang)
    monkeypatch.setattr(probes, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(probes, "FRESH_SECONDS", 0.0)
    yield asked
    end.set()


def test_what_hangs_is_away_and_is_asked_once(client: Client, hanging: list[int]) -> None:
    for _ in range(3):
        assert client.get("/readyz").json()["storage"] == "does not answer"
    assert hanging == [1]


def test_asking_often_asks_services_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(probes, "FRESH_SECONDS", 3600)
    monkeypatch.setitem(probes.PARTS, "broker", lambda: asked.append(1) or "ok")
    for _ in range(3):
        client.get("/readyz")
    assert len(asked) == 1


def test_site_comes_back_by_itself(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "FRESH_SECONDS", 0.0)
    monkeypatch.setitem(probes.PARTS, "migrations", lambda: "some are missing (2)")
    assert client.get("/readyz").status_code == 503
    monkeypatch.setitem(probes.PARTS, "migrations", lambda: "ok")
    assert client.get("/readyz").status_code == 200


def test_missing_and_newer_migrations_are_told_apart(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert schema.compare_migrations() == ([], [])
    known = schema.known_migrations()
    monkeypatch.setattr(schema, "known_migrations", lambda: known | {"classifier.9999_next"})
    assert schema.compare_migrations() == (["classifier.9999_next"], [])
    monkeypatch.setattr(schema, "known_migrations", lambda: known - {"classifier.0034_share_links"})
    assert schema.compare_migrations() == ([], ["classifier.0034_share_links"])


def test_missing_migrations_are_not_ready_and_newer_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(probes, "compare_migrations", lambda: (["classifier.0035"], []))
    assert probes._ask_migrations() == "some are missing (1): run “manage.py prepare”"
    monkeypatch.setattr(probes, "compare_migrations", lambda: ([], ["classifier.0035"]))
    assert probes._ask_migrations().startswith("ok")


def test_storage_of_ours_is_checked() -> None:
    assert probes._ask_storage() == "ok"


def test_folder_that_cannot_be_written_to_is_away(folder_storage: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(PermissionError):
        probes._ask_storage()


def test_difference_to_the_database_is_a_sentence(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert schema.explain_difference() == ""
    monkeypatch.setattr(schema, "compare_migrations", lambda: (["classifier.0045_next"], []))
    assert "classifier.0045_next is missing. Run “manage.py prepare”" in schema.explain_difference()
    monkeypatch.setattr(schema, "compare_migrations", lambda: ([], ["classifier.9999_later"]))
    assert "newer version of PoetsWeb" in schema.explain_difference()


def test_worker_does_not_start_on_other_tables(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from worker import run

    monkeypatch.setattr(connection, "close", lambda: None)
    run.refuse_other_tables()
    monkeypatch.setattr(run, "explain_difference", lambda: "The database is older.")
    with pytest.raises(SystemExit, match="cannot start: The database is older"):
        run.refuse_other_tables()
