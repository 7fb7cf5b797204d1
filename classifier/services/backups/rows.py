"""All rows of a site to lines and back, one by one."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from django.apps.registry import Apps
from django.core.management.color import no_style
from django.db import connection
from django.db.models import Model

from classifier.services.backups.manifest import BackupRefused
from classifier.services.portable.lines import AT_ONCE, decode_value, dump_line, insert_statement, writable_fields

# Sessions are open doors, and everybody can sign in again. The list of migrations is the database's own.
LEFT_OUT = {"sessions.session"}


def list_tables(apps: Any) -> list[type[Model]]:
    """List the models whose rows belong to a backup, with those that only join two others."""
    found = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    return [model for model in found if not model._meta.proxy and model._meta.label_lower not in LEFT_OUT]


def dump_rows(model: type[Model], path: Path, *, using: str) -> int:
    """Write all rows of a table; return how many there are."""
    columns, count = [field.attname for field in writable_fields(model)], 0
    rows = model._base_manager.using(using).order_by("pk").values_list(*columns)
    with path.open("w", encoding="utf-8") as file:
        file.write(dump_line(columns))
        for count, row in enumerate(rows.iterator(chunk_size=AT_ONCE), start=1):  # noqa: B007 - counted
            file.write(dump_line(row))
    return count


def load_rows(model: type[Model], path: Path) -> int:
    """Insert the rows of a table as they are, with their ids and times; return how many. Raise BackupRefused."""
    with path.open(encoding="utf-8") as file:
        columns = json.loads(next(file))
        fields = {field.attname: field for field in writable_fields(model)}
        if not set(columns) <= set(fields):
            raise BackupRefused(f"The backup has columns of {model._meta.label} that this program does not know.")
        chosen = [fields[name] for name in columns]
        return _insert(model, chosen, (json.loads(line) for line in file))


def _insert(model: type[Model], fields: Sequence[Any], rows: Iterator[list[Any]]) -> int:
    statement = insert_statement(model, fields)
    count = 0
    with connection.cursor() as cursor:
        while part := list(islice(rows, AT_ONCE)):
            cursor.executemany(
                statement, [[decode_value(*pair) for pair in zip(fields, row, strict=True)] for row in part]
            )
            count += len(part)
    return count


def delete_rows(apps: Any) -> None:
    """Delete the rows of all tables, those that others name last. For a transaction, which checks that at its end."""
    with connection.cursor() as cursor:
        for model in list_tables(apps):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608


def continue_numbers(apps: Apps | Any) -> None:
    """Let new rows be numbered from the highest that was loaded."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list_tables(apps)):
            cursor.execute(statement)
