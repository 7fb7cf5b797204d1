"""Rows as lines of JSON and back, the same whichever database they come from or go to."""

import base64
import json
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from django.db import connection, models
from django.db.models import Model

AT_ONCE = 500  # rows


def writable_fields(model: type[Model]) -> list[Any]:
    """List the fields of a table that the database does not compute itself."""
    return [field for field in model._meta.concrete_fields if not field.generated]


def dump_line(values: Sequence[Any]) -> str:
    """Return the values of a row, or the names of its columns, as a line."""
    return json.dumps(values, default=_encode, ensure_ascii=False, separators=(",", ":")) + "\n"


def _encode(value: Any) -> str:
    """Return as text what JSON does not have. Django's encoder would cut microseconds off."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview | bytearray):
        return base64.b64encode(value).decode()
    return str(value)


def target_field(field: Any) -> Any:
    """Return the field itself, or the one that it refers to."""
    return field.target_field if isinstance(field, models.ForeignKey) else field


def decode_value(field: Any, value: Any) -> Any:
    """Return a value of a line as the database takes it. Raise ValidationError."""
    return field.get_db_prep_save(target_field(field).to_python(value), connection)


def insert_statement(model: type[Model], fields: Sequence[Any], ending: str = "") -> str:
    """Return the SQL that inserts a row with these fields."""
    quote = connection.ops.quote_name
    names, places = ", ".join(quote(field.column) for field in fields), ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({places}) {ending}".strip()  # noqa: S608
