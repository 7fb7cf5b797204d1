"""Each process of a site is killed at moments of the way from upload to export: nothing is lost, each job succeeds."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.journey import STAGES, Journey, Persistent, Strike, check_site, plan_strikes
from tests.processes import below, family, find_valkey, processes
from tests.site import Site

pytestmark = [pytest.mark.site, pytest.mark.timeout(900)]

KILLS = int(os.environ.get("KILLS", "0"))  # of each process; CI has no time for all
KEPT = {
    "web": "gunicorn",
    "worker": "worker@%h",
    "trainer": "trainer@%h",
    "opener": "opener@%h",
    "reaper": "run_reaper",
}
Find = Callable[[Site], list[psutil.Process]]


def supervisor(site: Site, word: str) -> list[psutil.Process]:
    return processes(site, "poetsweb.supervise", word)


def relay(site: Site, word: str) -> list[psutil.Process]:
    """Return the process of the site that passes on what the supervisor prints."""
    return [parent for one in supervisor(site, word) if (parent := one.parent()) is not None]


def kept(site: Site, word: str) -> list[psutil.Process]:
    return below(supervisor(site, word))


def child(site: Site, word: str) -> list[psutil.Process]:
    return below(kept(site, word))


def export_program(site: Site) -> list[psutil.Process]:
    return processes(site, "ml.exports.program")


VICTIMS: dict[str, Find] = {
    **{f"relay of the {name}": partial(relay, word=word) for name, word in KEPT.items()},
    **{f"supervisor of the {name}": partial(supervisor, word=word) for name, word in KEPT.items()},
    **{name: partial(kept, word=word) for name, word in KEPT.items()},
    **{f"child of the {name}": partial(child, word=word) for name, word in KEPT.items() if name != "reaper"},
    "valkey": find_valkey,
    "export program": export_program,
    "serve": lambda site: family(site)[:1],
}
KINDS = {kind: ("export",) if kind == "export program" else tuple(STAGES) for kind in VICTIMS}
QUICK = {"web": ("upload",), "child of the worker": ("ingest",), "valkey": ("train",), "export program": ("export",)}
PLAN = plan_strikes(KINDS, KILLS) if KILLS else plan_strikes(QUICK, 1)


@pytest.fixture(scope="module")
def own_site(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("killed") / "data"
    site = Site(folder, prepared=prepared, EMBED_WORKERS="1", WEB_WORKERS="1").start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def client(own_site: Site) -> Persistent:
    if own_site.env["REDIS_URL"]:
        pytest.skip("These are the processes of a site that brings everything with it.")
    return Persistent(own_site.client("owner"))


def kill(site: Site, strike: Strike) -> None:
    """Kill the first of the processes as soon as the moment has come and there is one.

    There may be none: a program that is run for a moment, on a machine that is quicker than others.
    """
    time.sleep(strike.seconds)
    until = time.monotonic() + 10
    while not (found := VICTIMS[strike.kind](site)) and time.monotonic() < until:
        time.sleep(0.02)
    if not found:
        print(f"nothing to kill: {strike}")
        return
    with suppress(psutil.NoSuchProcess):
        found[0].kill()
    if strike.kind == "serve" and site.process is not None:
        site.process.wait(10)  # until then it is a zombie, which its processes take for alive


@pytest.mark.parametrize("number", range(len(PLAN)), ids=lambda number: "; ".join(map(str, PLAN[number])))
def test_a_killed_process_costs_nothing(number: int, own_site: Site, client: Persistent) -> None:
    Journey(client, number).go({strike.stage: partial(kill, own_site, strike) for strike in PLAN[number]})
    print(client)
    check_site(own_site, deaths=True)
