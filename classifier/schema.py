"""Whether the tables in the database are those of this program."""

import functools

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from poetsweb.version import VERSION


@functools.cache
def known_migrations() -> frozenset[str]:
    """Return the migrations that this program has, as “classifier.0001_first”. They do not change while it runs."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return frozenset(f"{app}.{name}" for app, name in loader.disk_migrations or ())


def describe_program() -> str:
    """Return what has to be the same in all processes of a site: the version, and the last migration of ours."""
    last = max(name for name in known_migrations() if name.startswith("classifier."))
    return f"{VERSION} ({last.removeprefix('classifier.')})"


def explain_difference() -> str:
    """Say what to do where the database is not of this program's version; empty if it is."""
    missing, newer = compare_migrations()
    if newer:
        return (
            f"The database is of a newer version of PoetsWeb than this one, {describe_program()}: it has {newer[-1]}. "
            "Install that version here too, or restore a backup that this one made."
        )
    if missing:
        return f"The database is of an older version of PoetsWeb: {missing[0]} is missing. Run “manage.py prepare”."
    return ""


def list_applied(*, using: str = DEFAULT_DB_ALIAS) -> set[str]:
    """Return the migrations that have made the tables what they are."""
    return {f"{app}.{name}" for app, name in MigrationRecorder(connections[using]).applied_migrations()}


def compare_migrations() -> tuple[list[str], list[str]]:
    """Return the migrations that the database still lacks, and those that only a newer program knows."""
    known, applied = known_migrations(), list_applied()
    installed = {name.partition(".")[0] for name in known}
    newer = {name for name in applied - known if name.partition(".")[0] in installed}
    return sorted(known - applied), sorted(newer)
