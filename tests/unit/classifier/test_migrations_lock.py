"""Machines and containers of a site that start together: one changes the tables, and the others wait for it."""

import threading

import pytest
from django.db import connection

from classifier.locks import hold_migrations

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def test_one_at_a_time_changes_the_tables() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is of one machine, where one program prepares it.")
    order, tries = [], threading.Event()

    def second() -> None:
        tries.set()
        with hold_migrations():
            order.append("second")
        connection.close()

    other = threading.Thread(target=second)
    with hold_migrations():
        other.start()
        tries.wait(20)
        other.join(0.3)  # it would be through by now if nothing held it
        order.append("first")
    other.join(20)
    assert order == ["first", "second"]


def test_the_lock_goes_with_an_error() -> None:
    with pytest.raises(ValueError, match="no"), hold_migrations():
        raise ValueError("no")
    with hold_migrations():
        pass
