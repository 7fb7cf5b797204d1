"""Database, broker, storage and disk are away at moments of the way from upload to export.

Requests are answered soon, nothing is lost, and each job waits and succeeds by itself. Here it is what the site brings
with it; `test_services_away.py` has the others.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journey import Persistent, check_site
from tests.loop_disk import can_mount, make_disk, mounted
from tests.outages import DISKS, EMBEDDED, go_with_outages, plan_outages
from tests.site import Site

pytestmark = [pytest.mark.site, pytest.mark.timeout(1800)]

DISK = 2**30
PLAN = plan_outages(EMBEDDED | DISKS)


@pytest.fixture(scope="module")
def own_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """Give a folder on a disk of its own, or None where nobody lets us mount one."""
    folder = tmp_path_factory.mktemp("outages")
    if not can_mount(folder):
        yield None
        return
    with mounted(make_disk(folder / "disk.img", DISK), folder / "disk") as place:
        yield place


@pytest.fixture(scope="module")
def own_site(own_disk: Path | None, tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Site]:
    folder = own_disk or tmp_path_factory.mktemp("outages")
    site = Site(folder / "data", prepared=prepared, EMBED_WORKERS="1", WEB_WORKERS="1")
    site.log = folder.parent / "outages.log"  # which is not part of what fails
    site.start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def client(own_site: Site) -> Persistent:
    if own_site.env["DATABASE_URL"]:
        pytest.skip("These are outages of what the site brings with it.")
    return Persistent(own_site.client("owner"))


@pytest.mark.parametrize("number", range(len(PLAN)), ids=lambda number: "; ".join(map(str, PLAN[number])))
def test_an_outage_costs_nothing(number: int, own_disk: Path | None, client: Persistent) -> None:
    strikes = [one for one in PLAN[number] if own_disk or one.kind in EMBEDDED]
    go_with_outages(client, number, strikes, EMBEDDED | DISKS)
    check_site(client.site)
