"""SQLite's file becomes smaller after much has been deleted."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from classifier.services import compacting

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _sqlite(tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL does this by itself.")


def fill_and_empty(megabytes: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE filler (data BLOB)")
        for _ in range(megabytes):
            cursor.execute("INSERT INTO filler VALUES (zeroblob(1048576))")
        cursor.execute("DROP TABLE filler")


def test_free_room_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "LEAST_BYTES", 2**20)
    fill_and_empty(8)
    assert compacting.compact_database() >= 8 * 2**20
    assert compacting.compact_database() == 0  # there is nothing more to give


def test_little_is_left_alone() -> None:
    fill_and_empty(1)
    assert compacting.compact_database() == 0


def test_command_does_it_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    fill_and_empty(1)
    call_command("compact_database")
    assert "have been given back" in capsys.readouterr().out
    assert compacting._sizes()[0] < 2**20
