"""A row that one at a time works on, from connections of their own as the processes of a site have."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.db.models import Model

from classifier.locks import hold_row

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def held_elsewhere(model: type[Model], pk: int) -> Iterator[None]:
    """Hold a row from another connection."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with hold_row(model, pk):
            held.set()
            done.wait(60)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_row_is_given_to_one_at_a_time(owner: User, stranger: User) -> None:
    with held_elsewhere(User, owner.pk):
        with hold_row(User, owner.pk) as held:
            assert held is None
        with hold_row(User, stranger.pk) as other:
            assert other == stranger
    with hold_row(User, owner.pk) as held:
        assert held == owner


def test_row_that_is_gone_is_none(owner: User) -> None:
    pk = owner.pk
    owner.delete()
    with hold_row(User, pk) as held:
        assert held is None


def test_row_is_free_again_after_an_error(owner: User) -> None:
    with pytest.raises(ZeroDivisionError), hold_row(User, owner.pk):
        raise ZeroDivisionError
    with hold_row(User, owner.pk) as held:
        assert held == owner
