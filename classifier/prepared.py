"""SQL of our own: where the ORM takes longer to write it than the database to run it, and for very long lists."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

Value = int | str
Row = TypeVar("Row", bound=Model)
INSERTED_AT_ONCE = 256  # rows; a database takes some ten thousand values a statement

# Values that no query has in it otherwise, by kind and place.
STAND_INS: dict[type, Callable[[int], Value]] = {int: lambda place: -1 - place, str: lambda place: f"value {place}"}


# How databases read the values of a list that comes as JSON, by their kind.
UNPACKED: dict[str, dict[type, str]] = {
    "sqlite": dict.fromkeys((int, str), "SELECT value FROM json_each(%s)"),
    "postgresql": {
        int: "SELECT value::bigint FROM json_array_elements_text(%s::json)",
        str: "SELECT value FROM json_array_elements_text(%s::json)",
    },
}


@dataclass(frozen=True)
class _Written:
    sql: str
    parameters: list[Any]
    places: dict[int, int]  # of a parameter -> of the value that takes its place
    converters: dict[int, tuple[list[Callable[..., Any]], Any]]  # of a column -> what the ORM does to its values

    def filled(self, values: tuple[Value, ...]) -> list[Any]:
        filled = list(self.parameters)
        for place, number in self.places.items():
            filled[place] = values[number]
        return filled


class PreparedQuery:
    """A `values_list` of numbers and text whose SQL the ORM writes at the first call and never again.

    `build` is called with a stand-in for each of the values, whose kinds follow it, and gives the queryset.
    Writing the SQL takes 0.3 to 0.7 ms and reading the answer the ORM's way another 0.1, the database a tenth
    of that; a classifier's whole answer takes 10 ms.
    """

    def __init__(self, build: Callable[..., "QuerySet[Any, Any]"], *kinds: type[Value]) -> None:
        self._build, self._kinds = build, kinds

    def rows(self, *values: Value) -> list[tuple[Any, ...]]:
        """Return the rows, as the database gives them."""
        with connection.cursor() as cursor:
            cursor.execute(self._written.sql, self._written.filled(values))
            return list(cursor.fetchall())

    @cached_property
    def _written(self) -> _Written:
        stand_ins = [STAND_INS[kind](place) for place, kind in enumerate(self._kinds)]
        compiler = self._build(*stand_ins).query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        places = {place: stand_ins.index(given) for place, given in enumerate(parameters) if given in stand_ins}
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        return _Written(sql, list(parameters), places, converters)


class PreparedObjects(PreparedQuery, Generic[Row]):
    """The same for a queryset of whole objects, each with the one that its field `related` names."""

    def __init__(
        self, model: type[Row], build: Callable[..., "QuerySet[Row]"], *kinds: type[Value], related: str = ""
    ) -> None:
        self._model, self._related = model, related
        self._own = [field.attname for field in model._meta.concrete_fields]
        self._other: type[Model] | None = model._meta.get_field(related).related_model if related else None  # type: ignore[assignment]
        self._others = [field.attname for field in self._other._meta.concrete_fields] if self._other else []
        names = (*self._own, *(f"{related}__{name}" for name in self._others))
        super().__init__(lambda *values: build(*values).values_list(*names), *kinds)

    def objects(self, *values: Value) -> Iterator[Row]:
        """Yield what the queryset would."""
        for row in self.rows(*values):
            read = list(row)
            for place, (converters, column) in self._written.converters.items():
                for convert in converters:
                    read[place] = convert(read[place], column, connection)
            count = len(self._own)
            found = self._model.from_db(DEFAULT_DB_ALIAS, self._own, read[:count])
            if self._other is not None:
                setattr(found, self._related, self._other.from_db(DEFAULT_DB_ALIAS, self._others, read[count:]))
            yield found


def any_of(values: Sequence[Value]) -> RawSQL | Sequence[Value]:
    """Return what takes the place of a list of any length behind `__in`; databases take some ten thousand parameters.

    The values are of one kind.
    """
    return any_in(type(values[0]), json.dumps(values)) if values else values


def any_in(kind: type[Value], listed: str) -> RawSQL:
    """Return the same of a list that is JSON already, as a prepared query is given it."""
    return RawSQL(UNPACKED[connection.vendor][kind], [listed])  # noqa: S611 - a parameter


def insert_rows(
    model: type[Model],
    fields: tuple[str, ...],
    rows: Iterable[tuple[Value | bytes | None, ...]],
    *,
    returning: str = "id",
) -> list[tuple[Any, ...]]:
    """Insert rows of numbers, text and bytes, but leave out those that would break a unique constraint.

    Do what `bulk_create(ignore_conflicts=True)` does, in a fifth of its time per row. `fields` are the columns: all
    but the id, those that may be null, and the time of creation, which is now. Return (id, `returning`) of each row
    that was inserted.
    """
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    made_at = [field.attname for field in model._meta.concrete_fields if getattr(field, "auto_now_add", False)]
    stamps = [now] * len(made_at)
    columns = ", ".join(connection.ops.quote_name(name) for name in (*fields, *made_at))
    marks = f"({', '.join(['%s'] * (len(fields) + len(stamps)))})"
    table = connection.ops.quote_name(model._meta.db_table)
    waiting = iter(rows)
    inserted: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        # One statement for many rows: a statement a row would wait for its turn among the threads each time.
        while part := list(islice(waiting, INSERTED_AT_ONCE)):
            sql = f"INSERT INTO {table} ({columns}) VALUES {', '.join([marks] * len(part))}"  # noqa: S608 - our names
            ending = f"ON CONFLICT DO NOTHING RETURNING id, {connection.ops.quote_name(returning)}"
            cursor.execute(f"{sql} {ending}", [value for row in part for value in (*row, *stamps)])
            inserted += cursor.fetchall()
    return inserted
