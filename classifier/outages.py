"""What is away for a while and is no fault of the work: database, broker, file storage, room on the disk."""

import errno
import sqlite3

from django.db import DatabaseError, InterfaceError, OperationalError
from redis.exceptions import RedisError

RETRY_SECONDS = 10  # after which a refused request may be tried again

_FULL = {errno.ENOSPC, errno.EDQUOT}
_BROKEN = {errno.EIO, errno.EROFS, errno.ESTALE, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ETIMEDOUT}
_PASSING_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,  # also where the file was moved away from under us
    sqlite3.SQLITE_PROTOCOL,  # the locks of the WAL were busy for too long
}
# PostgreSQL's SQLSTATEs that are not operational to psycopg: a read-only transaction, as of a standby or after
# a failover, and time limits that have ended a transaction. Class 57 is an operator's intervention.
_PASSING_POSTGRESQL = ("25006", "25P03", "25P04", "57")
ANSWER = "an answer"  # of a person; the one thing that does not come by itself
DATABASE, BROKER, STORAGE, ROOM = "the database", "the broker", "the file storage", "room on the disk"


class StorageAway(OSError):
    """The bucket refuses or does not answer."""


def find_outage(error: BaseException) -> str:
    """Return what is away, as words for a sentence, or "" if the error is a fault of the work itself."""
    if isinstance(error, OperationalError | InterfaceError):
        return _database_outage(error)
    if isinstance(error, DatabaseError):
        state = getattr(error.__cause__, "sqlstate", None) or ""
        return DATABASE if state.startswith(_PASSING_POSTGRESQL) else ""
    if isinstance(error, RedisError) or type(error).__module__.startswith("kombu."):
        return BROKER
    if isinstance(error, StorageAway):
        return STORAGE
    if isinstance(error, OSError):
        return ROOM if error.errno in _FULL else STORAGE if error.errno in _BROKEN else ""
    return ""


def raise_outage(error: OSError) -> None:
    """Raise the error again if it tells that something is away: then the file that was wanted is not lost."""
    if find_outage(error):
        raise error


def describe_outage(outage: str) -> str:
    """Say to a person or a program whose request could not be answered what is away."""
    if outage == ROOM:
        return "The disk of this site is full. The administrator has to make room; then please try again."
    return f"{outage[0].upper()}{outage[1:]} of this site does not answer at the moment. Please try again soon."


def describe_wait(outage: str) -> str:
    """Say on a job's page what the job waits for."""
    if outage == ANSWER:
        return "Nothing is stored until you have looked at what was understood, on the page of the upload."
    if outage == ROOM:
        return "The disk of this site is full. The job continues by itself once there is room."
    return f"{outage[0].upper()}{outage[1:]} does not answer at the moment. The job continues by itself once it does."


def _database_outage(error: BaseException) -> str:
    cause = error.__cause__
    if not isinstance(cause, sqlite3.Error):
        return DATABASE
    # SQLite calls a table that is missing operational, too. The low byte is the kind, the rest its details.
    code = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return ROOM
    return DATABASE if code in _PASSING_SQLITE else ""
