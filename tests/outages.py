"""What is away for a while, and what a site has to answer meanwhile."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import psutil

from tests.datasets import coloured_pictures
from tests.journey import STAGES, Journey, Persistent, Strike, plan_strikes
from tests.loop_disk import filled, read_only
from tests.processes import find_valkey
from tests.site import Site

MOMENTS = int(os.environ.get("OUTAGES", "0"))  # of each kind of outage; CI has no time for all
SECONDS = float(os.environ.get("OUTAGE_SECONDS", "9"))  # longer than a request waits for SQLite's lock


@dataclass(frozen=True)
class Outage:
    """Something that is away while the context lasts.

    Attributes:
        page: the status of a page meanwhile.
        picture: the status of an uploaded picture meanwhile.
        in_short: whether it belongs to the short proof.
    """

    begin: Callable[[Site], AbstractContextManager[None]]
    page: int = 200
    picture: int = 503
    in_short: bool = True


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


EMBEDDED = {
    "locked database": Outage(locked_database),
    "dead broker": Outage(partial(troubled_broker, what="kill"), picture=201, in_short=False),
    "hanging broker": Outage(partial(troubled_broker, what="suspend"), picture=201),
}
DISKS = {
    "read-only storage": Outage(lambda site: read_only(site.data / "files")),
    "full disk": Outage(lambda site: filled(site.data)),
}


def plan_outages(outages: dict[str, Outage]) -> list[list[Strike]]:
    """Spread as many moments of each as the environment wants over all stages."""
    kinds = [kind for kind, outage in outages.items() if MOMENTS or outage.in_short]
    return plan_strikes({kind: tuple(STAGES) for kind in kinds}, MOMENTS or 1)


def go_with_outages(client: Persistent, number: int, strikes: list[Strike], outages: dict[str, Outage]) -> None:
    """Go the whole way, and be without something for a while in each stage."""
    journey = Journey(client, number)
    journey.go({one.stage: partial(_suffer, client, journey, one, outages[one.kind]) for one in strikes})
    print(client)


def _suffer(client: Persistent, journey: Journey, strike: Strike, outage: Outage) -> None:
    time.sleep(strike.seconds)
    with outage.begin(client.site):
        until = time.monotonic() + SECONDS
        said = _ask_meanwhile(client, journey, strike, outage)
        time.sleep(max(until - time.monotonic(), 0))
    print(f"{strike}: {said}")


def _ask_meanwhile(client: Persistent, journey: Journey, strike: Strike, outage: Outage) -> str:
    """Check that pages are shown and pictures taken or refused, soon and in words."""
    begun = time.monotonic()
    page = client.try_once("GET", f"/projects/{journey.slug}")
    assert page is not None
    assert page[0] == outage.page, page
    picture = coloured_pictures(1, seed=journey.seed + 70_000 + list(STAGES).index(strike.stage))["red/0.jpg"]
    sent = client.try_once("POST", f"/projects/{journey.slug}/uploads", {"class": "red"}, [("file", "x.jpg", picture)])
    assert sent is not None
    assert sent[0] == outage.picture, sent
    if sent[0] == 201:
        journey.expected["red"] += 1
    return f"answered {page[0]}, {sent[0]} after {time.monotonic() - begun:.1f} s: {sent[1].get('error', '')}"
