"""Set the database up so that what is committed is kept, and that one which is away is noticed."""

from typing import Any

import environ


def read_database(url: str) -> dict[str, Any]:
    """Return Django's settings of the database at a URL."""
    settings: dict[str, Any] = environ.Env.db_url_config(url)
    own = _SQLITE if settings["ENGINE"] == "django.db.backends.sqlite3" else _POSTGRESQL
    return settings | own | {"OPTIONS": own["OPTIONS"] | settings.get("OPTIONS", {})}


_SQLITE = {
    # WAL lets readers go on while one writer writes; IMMEDIATE takes the write lock at BEGIN, where the
    # busy timeout applies, instead of failing half-way through a transaction. FULL puts each commit on the disk: with
    # NORMAL a power cut takes the last ones back, although people have been told that they are done.
    "OPTIONS": {
        "timeout": 30,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
    },
    "CONN_MAX_AGE": None,
}
_POSTGRESQL = {
    # The usual backend, but web processes wait only so long for an answer (`poetsweb.gunicorn`). The others wait: a
    # server that is gone without a word is noticed by the kernel, and one that hangs may go on.
    "ENGINE": "poetsweb.postgresql",
    "OPTIONS": {
        "connect_timeout": 5,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    },
    "CONN_MAX_AGE": 300,
    "CONN_HEALTH_CHECKS": True,
}
