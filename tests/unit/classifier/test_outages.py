"""What of a database's errors is an outage, and what is a fault of the work."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, InternalError, OperationalError, ProgrammingError, connection
from django.test import Client
from psycopg import errors

from classifier.jobs import sending
from classifier.jobs.kinds import TRAIN
from classifier.models import Job, Project
from classifier.outages import DATABASE, ROOM, find_outage
from worker.run import run_job


def raised(error: type[Exception], cause: Exception) -> Exception:
    """Return Django's error for one of a database."""
    made = error(str(cause))
    made.__cause__ = cause
    return made


def of_sqlite(code: int) -> Exception:
    cause = sqlite3.OperationalError("SQLite's words")
    cause.sqlite_errorcode = code
    return raised(OperationalError, cause)


READ_ONLY = raised(InternalError, errors.ReadOnlySqlTransaction("cannot execute UPDATE in a read-only transaction"))


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        *[
            (of_sqlite(code), DATABASE)
            for code in (
                sqlite3.SQLITE_BUSY_SNAPSHOT,
                sqlite3.SQLITE_READONLY,
                sqlite3.SQLITE_READONLY_DBMOVED,
                sqlite3.SQLITE_PROTOCOL,
                sqlite3.SQLITE_CANTOPEN_ISDIR,
                sqlite3.SQLITE_IOERR_WRITE,
            )
        ],
        (of_sqlite(sqlite3.SQLITE_FULL), ROOM),
        (of_sqlite(sqlite3.SQLITE_ERROR), ""),
        (READ_ONLY, DATABASE),
        (raised(InternalError, errors.IdleInTransactionSessionTimeout()), DATABASE),
        (raised(InternalError, errors.TransactionTimeout()), DATABASE),
        (raised(OperationalError, errors.AdminShutdown()), DATABASE),
        (raised(OperationalError, errors.CannotConnectNow()), DATABASE),
        (raised(DatabaseError, errors.lookup("57P05")()), DATABASE),
        (raised(InternalError, errors.InFailedSqlTransaction()), ""),
        (raised(InternalError, errors.DataCorrupted()), ""),
        (raised(ProgrammingError, errors.UndefinedTable()), ""),
        (InternalError("without a cause"), ""),
    ],
)
def test_what_passes_is_an_outage(error: Exception, outage: str) -> None:
    assert find_outage(error) == outage


def test_file_that_may_only_be_read_is_an_outage(db: None, tmp_path: Path) -> None:
    path, other = tmp_path / "other.sqlite3", connection.copy()
    if other.vendor != "sqlite":
        pytest.skip("The database is not SQLite.")
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE written (number INTEGER)")
    other.settings_dict = {**connection.settings_dict, "NAME": f"file:{path}?mode=ro", "OPTIONS": {"uri": True}}
    with closing(other), other.cursor() as cursor, pytest.raises(OperationalError, match="readonly") as caught:
        cursor.execute("INSERT INTO written VALUES (1)")
    assert find_outage(caught.value) == DATABASE


def test_job_waits_for_a_database_that_only_reads(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(job: Job) -> None:
        raise READ_ONLY

    monkeypatch.setattr("worker.train.train", work)
    job = sending.queue_job(TRAIN, project=project, by=project.owner)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.status, job.waits_for) == ("RUNNING", DATABASE)


@pytest.mark.parametrize("address", ["/", "/api/v1/projects"])
@pytest.mark.parametrize("error", [READ_ONLY, of_sqlite(sqlite3.SQLITE_READONLY)], ids=["PostgreSQL", "SQLite"])
def test_request_is_asked_to_come_again(
    as_owner: Client, monkeypatch: pytest.MonkeyPatch, address: str, error: Exception
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise error

    as_owner.raise_request_exception = False
    assert as_owner.get(address).status_code == 200  # loads the pages before one of their functions is another one
    monkeypatch.setattr("classifier.selectors.list_projects", fail)
    monkeypatch.setattr("classifier.views.home.list_projects", fail)
    answer = as_owner.get(address)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10"), answer.content
