"""A PostgreSQL that says nothing, or that takes too long, where web processes wait only so long for an answer."""

import time
from collections.abc import Iterator

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from classifier.outages import DATABASE, find_outage
from tests.proxy import Proxy
from tests.services import given

pytestmark = [pytest.mark.services, pytest.mark.django_db]

SLEEP = "SELECT pg_sleep(%s)"
LONG = 20.0  # seconds; far more than any test may take


@pytest.fixture
def proxy() -> Proxy:
    if not given("TEST_DATABASE_URL"):
        pytest.skip("There is no PostgreSQL: see `.ci/services.sh`.")
    return Proxy(given("TEST_DATABASE_URL"))


@pytest.fixture
def impatient(proxy: Proxy) -> Iterator[BaseDatabaseWrapper]:
    """Return a connection through the proxy that waits for half a second."""
    other = connection.copy()
    other.settings_dict = {**connection.settings_dict, "NAME": "postgres", "HOST": "127.0.0.1", "PORT": proxy.port}
    other.settings_dict["OPTIONS"] = {**connection.settings_dict["OPTIONS"], "answer_seconds": 0.5}
    other.inc_thread_sharing()
    yield other
    other.close()


def run(database: BaseDatabaseWrapper, seconds: float) -> None:
    with database.cursor() as cursor:
        cursor.execute(SLEEP, [seconds])


def test_server_that_says_nothing_ends_the_statement(impatient: BaseDatabaseWrapper, proxy: Proxy) -> None:
    run(impatient, 0)
    begun = time.monotonic()
    with proxy.hanging(), pytest.raises(OperationalError) as raised:
        run(impatient, 0)
    assert time.monotonic() - begun < LONG / 2
    assert find_outage(raised.value) == DATABASE


def test_connection_that_was_given_up_is_not_used_again(impatient: BaseDatabaseWrapper, proxy: Proxy) -> None:
    run(impatient, 0)
    with proxy.hanging():
        with pytest.raises(OperationalError):
            run(impatient, 0)
        with pytest.raises((OperationalError, InterfaceError)):
            run(impatient, 0)
    impatient.close_if_unusable_or_obsolete()
    run(impatient, 0)


def test_idle_connection_is_seen_to_be_dead(impatient: BaseDatabaseWrapper, proxy: Proxy) -> None:
    run(impatient, 0)
    assert impatient.is_usable()
    with proxy.hanging():
        assert not impatient.is_usable()


def test_statement_that_takes_too_long_is_ended_on_the_server(impatient: BaseDatabaseWrapper) -> None:
    with pytest.raises(OperationalError):
        run(impatient, LONG)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE query = %s AND state = 'active'", [SLEEP % LONG])
        assert cursor.fetchone() == (0,)


def test_others_wait_for_ever(impatient: BaseDatabaseWrapper) -> None:
    impatient.settings_dict["OPTIONS"].pop("answer_seconds")
    run(impatient, 0.7)
