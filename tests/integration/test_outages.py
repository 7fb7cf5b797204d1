"""Database, broker, storage and disk are away at moments of the way from upload to export.

Requests are answered soon, nothing is lost, and each job waits and succeeds by itself.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.datasets import coloured_pictures
from tests.journey import STAGES, Journey, Persistent, Strike, check_site, plan_strikes
from tests.loop_disk import can_mount, filled, make_disk, mounted, read_only
from tests.processes import find_valkey
from tests.site import Site

pytestmark = [pytest.mark.site, pytest.mark.timeout(1800)]

MOMENTS = int(os.environ.get("OUTAGES", "1"))  # of each kind of outage
SECONDS = float(os.environ.get("OUTAGE_SECONDS", "9"))  # longer than a request waits for SQLite's lock
DISK = 2**30


@contextmanager
def locked_database(site: Site) -> Iterator[None]:
    """Keep everybody else from writing."""
    connection = sqlite3.connect(site.data / "db.sqlite3", isolation_level=None, timeout=30)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


@contextmanager
def troubled_broker(site: Site, what: str) -> Iterator[None]:
    """Kill or suspend Valkey, and each that the site starts instead."""
    over = threading.Event()

    def tell(what: str) -> None:
        for valkey in find_valkey(site):
            with suppress(psutil.NoSuchProcess):
                getattr(valkey, what)()

    def keep_telling() -> None:
        while not over.wait(0.1):
            tell(what)

    thread = threading.Thread(target=keep_telling)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        tell("resume")


def read_only_storage(site: Site) -> AbstractContextManager[None]:
    return read_only(site.data / "files")


def full_disk(site: Site) -> AbstractContextManager[None]:
    return filled(site.data)


OUTAGES: dict[str, Callable[[Site], AbstractContextManager[None]]] = {
    "locked database": locked_database,
    "dead broker": partial(troubled_broker, what="kill"),
    "hanging broker": partial(troubled_broker, what="suspend"),
    "read-only storage": read_only_storage,
    "full disk": full_disk,
}
NEED_A_DISK = {"read-only storage", "full disk"}
REFUSE_PICTURES = {"locked database", "read-only storage", "full disk"}
PLAN = plan_strikes({kind: tuple(STAGES) for kind in OUTAGES}, MOMENTS)


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
def own_site(own_disk: Path | None, tmp_path_factory: pytest.TempPathFactory, backbones: object) -> Iterator[Site]:
    folder = own_disk or tmp_path_factory.mktemp("outages")
    site = Site(folder / "data", backbones=backbones, EMBED_WORKERS="1", WEB_WORKERS="1")
    site.log = folder.parent / "outages.log"  # which is not part of what fails
    site.start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def client(own_site: Site) -> Persistent:
    if own_site.env["DATABASE_URL"]:
        pytest.skip("These are outages of what the site brings with it.")
    return Persistent(own_site.client("owner"))


def suffer(client: Persistent, journey: Journey, strike: Strike) -> None:
    """Be without it for a while from the moment on, and ask meanwhile."""
    time.sleep(strike.seconds)
    with OUTAGES[strike.kind](client.site):
        until = time.monotonic() + SECONDS
        said = ask_meanwhile(client, journey, strike)
        time.sleep(max(until - time.monotonic(), 0))
    print(f"{strike}: {said}")


def ask_meanwhile(client: Persistent, journey: Journey, strike: Strike) -> str:
    """Check that pages are shown and pictures taken or refused, soon and in words."""
    begun = time.monotonic()
    page = client.try_once("GET", f"/projects/{journey.slug}")
    assert page is not None
    assert page[0] == 200, page
    picture = coloured_pictures(1, seed=journey.seed + 70_000 + int(strike.seconds * 10))["red/0.jpg"]
    sent = client.try_once("POST", f"/projects/{journey.slug}/uploads", {"class": "red"}, [("file", "x.jpg", picture)])
    assert sent is not None
    assert sent[0] == (503 if strike.kind in REFUSE_PICTURES else 201), sent
    if sent[0] == 201:
        journey.expected["red"] += 1
    return f"answered {sent[0]} after {time.monotonic() - begun:.1f} s: {sent[1].get('error', '')}"


@pytest.mark.parametrize("number", range(len(PLAN)), ids=lambda number: "; ".join(map(str, PLAN[number])))
def test_an_outage_costs_nothing(number: int, own_disk: Path | None, client: Persistent) -> None:
    journey = Journey(client, number)
    strikes = [one for one in PLAN[number] if own_disk or one.kind not in NEED_A_DISK]
    journey.go({strike.stage: partial(suffer, client, journey, strike) for strike in strikes})
    print(client)
    check_site(client.site)
