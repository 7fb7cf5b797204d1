"""Queries that are written once: for the few requests where writing the SQL takes longer than answering it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

Value = int | str

# Values that no query has in it otherwise, by kind and place.
STAND_INS: dict[type, Callable[[int], Value]] = {int: lambda place: -1 - place, str: lambda place: f"value {place}"}


@dataclass(frozen=True)
class _Written:
    model: type[Model]
    sql: str
    parameters: list[Any]
    places: dict[int, int]  # of a parameter -> of the value that takes its place

    def filled(self, values: tuple[Value, ...]) -> tuple[str, list[Any]]:
        filled = list(self.parameters)
        for place, number in self.places.items():
            filled[place] = values[number]
        return self.sql, filled


class PreparedQuery:
    """A queryset whose SQL the ORM writes at the first call and never again.

    `build` is called with a stand-in for each of the values, whose kinds follow it, and gives the queryset.
    Writing the SQL takes 0.3 to 0.7 ms, the database a tenth of that; a classifier's whole answer takes 10 ms.
    """

    def __init__(self, build: Callable[..., "QuerySet[Any, Any]"], *kinds: type[Value]) -> None:
        self._build, self._kinds = build, kinds

    def rows(self, *values: Value) -> list[tuple[Any, ...]]:
        """Of a `values_list`. They come as the database gives them: good for numbers and text."""
        with connection.cursor() as cursor:
            cursor.execute(*self._written.filled(values))
            return list(cursor.fetchall())

    def objects(self, *values: Value) -> list[Any]:
        """The model's objects, as the queryset would give them."""
        return list(self._written.model._default_manager.raw(*self._written.filled(values)))

    @cached_property
    def _written(self) -> _Written:
        stand_ins = [STAND_INS[kind](place) for place, kind in enumerate(self._kinds)]
        queryset = self._build(*stand_ins)
        sql, parameters = queryset.query.sql_with_params()
        places = {place: stand_ins.index(given) for place, given in enumerate(parameters) if given in stand_ins}
        return _Written(queryset.model, sql, list(parameters), places)
