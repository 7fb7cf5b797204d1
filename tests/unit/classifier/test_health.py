"""What a load balancer hears from /health."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from classifier.services import probes
from classifier.views import errors

WELL = {"status": "ok", "disk": "ok", "broker": "ok", "storage": "ok"}


@pytest.fixture(autouse=True)
def _all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "prober", probes.Prober())
    monkeypatch.setattr(probes, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(errors, "is_low", lambda: False)
    for name in ("database", "writing", "broker", "storage"):
        monkeypatch.setitem(probes.PARTS, name, lambda: "ok")


def ask(client: Client) -> tuple[int, Any]:
    answer = client.get("/health")
    return answer.status_code, answer.json()


def test_site_is_well(client: Client, db: None) -> None:
    assert ask(client) == (200, WELL)


@pytest.mark.parametrize("part", ["broker", "storage"])
def test_what_else_is_away_is_told(client: Client, db: None, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def fail() -> str:
        raise ConnectionError("hunter2")

    monkeypatch.setitem(probes.PARTS, part, fail)
    assert ask(client) == (200, {**WELL, part: "does not answer"})


def test_database_that_hangs_is_away_soon(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setitem(probes.PARTS, "database", lambda: str(ended.wait()))
    monkeypatch.setattr(errors, "HEALTH_SECONDS", 0.05)
    assert ask(client) == (503, {**WELL, "status": "the database does not answer"})
    ended.set()


@pytest.fixture
def file(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Provide the file of an SQLite that the site writes to."""
    if connection.vendor != "sqlite":
        pytest.skip("The database is not SQLite.")
    path, other = tmp_path / "other.sqlite3", connection.copy()
    other.settings_dict = {**connection.settings_dict, "NAME": str(path)}
    other.inc_thread_sharing()
    monkeypatch.setattr(probes, "connection", other)
    monkeypatch.setitem(probes.PARTS, "writing", probes._ask_writing)
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE written (number INTEGER)")
    yield path
    other.close()


def test_database_that_is_locked_for_long_is_told(client: Client, file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        assert ask(client) == (503, {**WELL, "status": "the database cannot be written"})
        assert time.monotonic() - begun < errors.HEALTH_SECONDS
        writer.execute("ROLLBACK")
    assert ask(client) == (200, WELL)


def test_ordinary_write_changes_nothing(client: Client, file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        end = threading.Timer(0.2, lambda: writer.execute("COMMIT"))
        end.start()
        assert ask(client) == (200, WELL)
        end.join()


def test_asking_writes_nothing(client: Client, file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        before = other.execute("PRAGMA data_version").fetchone()
        assert ask(client) == (200, WELL)
        assert other.execute("PRAGMA data_version").fetchone() == before


def test_file_that_may_only_be_read_is_told(client: Client, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert ask(client) == (503, {**WELL, "status": "the database cannot be written"})


@pytest.mark.services
def test_postgresql_that_only_reads_is_told(
    client: Client, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("The database is not PostgreSQL.")
    other = connection.copy()
    other.inc_thread_sharing()
    monkeypatch.setattr(probes, "connection", other)
    monkeypatch.setitem(probes.PARTS, "writing", probes._ask_writing)
    assert ask(client) == (200, WELL)
    options = {**connection.settings_dict["OPTIONS"], "options": "-c default_transaction_read_only=on"}
    other.settings_dict = {**connection.settings_dict, "OPTIONS": options}
    assert ask(client) == (503, {**WELL, "status": "the database cannot be written"})
