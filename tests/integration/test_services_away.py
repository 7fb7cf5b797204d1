"""PostgreSQL, Redis and S3 are away at moments of the way from upload to export: see `test_outages.py`."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.journey import Persistent, check_site
from tests.outages import Outage, go_with_outages, plan_outages
from tests.proxy import Proxy
from tests.services import given, site_services
from tests.site import Site

pytestmark = [pytest.mark.site, pytest.mark.services, pytest.mark.timeout(1800)]

ADDRESSES = {"database": "DATABASE_URL", "broker": "REDIS_URL", "storage": "S3_ENDPOINT_URL"}
proxies: dict[str, Proxy] = {}  # by the name of the service


def refusing(name: str, **expected: int) -> Outage:
    def begin(site: Site) -> AbstractContextManager[None]:
        return proxies[name].refusing()

    return Outage(begin, **expected)


def hanging(name: str, **expected: int) -> Outage:
    def begin(site: Site) -> AbstractContextManager[None]:
        return proxies[name].hanging()

    return Outage(begin, **expected)


OUTAGES = {
    "refusing database": refusing("database", page=503),
    "hanging database": hanging("database", page=503),
    "refusing broker": refusing("broker", picture=201),
    "hanging broker": hanging("broker", picture=201),
    "refusing storage": refusing("storage"),
    "hanging storage": hanging("storage"),
}
PLAN = plan_outages(OUTAGES)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Persistent]:
    if not given("TEST_DATABASE_URL"):
        pytest.skip("There are no services: see `.ci/services.sh`.")
    services = site_services()
    proxies.update((name, Proxy(services[setting])) for name, setting in ADDRESSES.items())
    addresses = {setting: proxies[name].address for name, setting in ADDRESSES.items()}
    folder = tmp_path_factory.mktemp("away") / "data"
    site = Site(folder, prepared=prepared, EMBED_WORKERS="1", WEB_WORKERS="1", **addresses).start()
    yield Persistent(site.client("owner"))
    site.stop()


@pytest.mark.parametrize("number", range(len(PLAN)), ids=lambda number: "; ".join(map(str, PLAN[number])))
def test_a_service_that_is_away_costs_nothing(number: int, client: Persistent) -> None:
    go_with_outages(client, number, PLAN[number], OUTAGES)
    check_site(client.site)
