"""Insert the rows of a project's file: each value checked as a form checks it, each id in place of the one it had."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection, models

from classifier.services.portable.lines import (
    AT_ONCE,
    decode_value,
    insert_statement,
    target_field,
    writable_fields,
)
from classifier.services.project_files.manifest import ProjectFileRefused
from classifier.services.project_files.tables import USER, Column, Table

Row = Mapping[str, Any]
Ids = dict[str, dict[int, int]]  # of each table: the new ids by the old ones


class RowWriter:
    """Inserts rows of one table, of which each has the same columns.

    Args:
        owner: in the place of all people.
        fixed: values of fields that are not in the file, by their attname.
    """

    def __init__(self, table: Table, columns: Iterable[str], ids: Ids, owner: User, **fixed: Any) -> None:
        self._table, self._ids, self._owner = table, ids, owner
        known = {column.field.attname: column for column in table.columns() if column.name in set(columns)}
        self._sources: list[tuple[Any, Column | None, Any]] = []
        for field in writable_fields(table.model):
            if field.primary_key:
                continue
            if field.attname in known and field.attname not in fixed:
                self._sources.append((field, known[field.attname], None))
            elif field.attname in fixed:
                self._sources.append((field, None, fixed[field.attname]))
            elif not field.has_db_default():
                self._sources.append((field, None, self._default(field)))
        self._fields = [field for field, _, _ in self._sources]

    def _default(self, field: Any) -> Any:
        value = field.get_default()
        if value is None and not field.null:
            raise ProjectFileRefused(
                f"The file is of an older version of PoetsWeb, which has no {self._table.name}.{field.attname}. "
                "Upgrade the site that it is from, and write it again."
            )
        return value

    def insert(self, row: Row) -> int:
        """Insert a row, and return its id."""
        statement = insert_statement(self._table.model, self._fields, "RETURNING id")
        with connection.cursor() as cursor:
            cursor.execute(statement, self._values(row))
            return int(cursor.fetchone()[0])

    def insert_many(self, rows: Iterable[Row], *, known_ones_stay: bool = False) -> None:
        """Insert rows that no others name. With `known_ones_stay`, without those that are there already."""
        ending = "ON CONFLICT DO NOTHING" if known_ones_stay else ""
        statement, waiting = insert_statement(self._table.model, self._fields, ending), iter(rows)
        with connection.cursor() as cursor:
            while part := list(islice(waiting, AT_ONCE)):
                cursor.executemany(statement, [self._values(row) for row in part])

    def _values(self, row: Row) -> list[Any]:
        return [
            decode_value(field, self._value(row, column) if column else value) for field, column, value in self._sources
        ]

    def _value(self, row: Row, column: Column) -> Any:
        value = row[column.name]
        if value is None and not column.field.null:
            raise wrong(self._table, column.name)
        if value is None:
            return None
        if column.names == USER:
            return self._owner.pk
        if column.names:
            return new_id(self._ids, column.names, value)
        return check_value(self._table, column, value)


def new_id(ids: Ids, table: str, old: Any) -> int:
    """Return the id that a row has here. Raise ProjectFileRefused if it is not in the file."""
    try:
        return ids[table][old]
    except (KeyError, TypeError):
        raise ProjectFileRefused(
            f"The file is not whole: it names a row of the table {table} that is not in it."
        ) from None


def check_value(table: Table, column: Column, value: Any) -> Any:
    """Return a value, if the field may have it. Raise ProjectFileRefused."""
    field = target_field(column.field)
    try:
        known = field.to_python(value)
        if field.choices and known not in ("", *(choice for choice, _ in field.flatchoices)):
            raise wrong(table, column.name)
        if not isinstance(field, models.JSONField | models.BinaryField):
            field.run_validators(known)
    except (ValidationError, ValueError, TypeError, OverflowError):
        raise wrong(table, column.name) from None
    return known


def wrong(table: Table, column: str) -> ProjectFileRefused:
    """Return the error for a value that no site has written."""
    return ProjectFileRefused(f"The file has a value that {table.name}.{column} cannot have; nothing of it was used.")
