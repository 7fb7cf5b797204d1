"""Machines are upgraded one after the other: what still runs the old program must go on with the new tables.

So migrations add, and take away one version later: a column that the old program does not know has to fill itself, and
what it reads has to stay.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import models
from django.db.migrations import AddField, DeleteModel, Migration, RemoveField, RenameField, RenameModel
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

LAST_WITHOUT_THE_RULE = "0037"
# Name of a migration -> why nothing that runs the version before has need of what it takes away.
TAKES_AWAY: dict[str, str] = {}


def migrations() -> list[Migration]:
    found = MigrationLoader(None, ignore_no_migrations=True).disk_migrations or {}
    ours = [migration for (app, name), migration in sorted(found.items()) if app == "classifier"]
    return [migration for migration in ours if migration.name[:4] > LAST_WITHOUT_THE_RULE]


def troubles(operations: list[Any]) -> Iterator[str]:
    """Say what a program of the version before would stumble over."""
    for operation in operations:
        if isinstance(operation, RemoveField | RenameField | RenameModel | DeleteModel):
            yield f"{type(operation).__name__} of what may still be read"
        if isinstance(operation, AddField) and not fills_itself(operation.field):
            yield f"{operation.model_name}.{operation.name} is unknown to it, and may not be empty"


def fills_itself(field: Any) -> bool:
    return bool(field.null or field.many_to_many or field.db_default is not NOT_PROVIDED)


@pytest.mark.parametrize("migration", migrations(), ids=lambda migration: migration.name)
def test_the_version_before_goes_on_with_the_new_tables(migration: Migration) -> None:
    if migration.name not in TAKES_AWAY:
        assert list(troubles(migration.operations)) == []


@pytest.mark.parametrize(
    ("operation", "found"),
    [
        (AddField("job", "new", models.IntegerField()), 1),
        (AddField("job", "new", models.IntegerField(default=0)), 1),  # of Django's, which the old program lacks
        (AddField("job", "new", models.IntegerField(db_default=0)), 0),
        (AddField("job", "new", models.IntegerField(null=True)), 0),
        (RemoveField("job", "old"), 1),
        (RenameField("job", "old", "new"), 1),
    ],
)
def test_the_rule_finds_what_it_is_for(operation: Any, found: int) -> None:
    assert len(list(troubles([operation]))) == found
