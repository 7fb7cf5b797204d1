"""Cancelled work stops within two seconds in whatever it is busy with, and its worker takes the next job."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ml.machine import CORES
from tests.datasets import coloured_pictures, make_zip
from tests.site import Client, Site

pytestmark = [pytest.mark.site, pytest.mark.slow]

# Longer where other tests have some of the cores.
SECONDS = 2.0 * max(1, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) / CORES)
STAGES: dict[str, dict[str, Any]] = {
    "head": {"recipe": "sgd", "steps": 100_000, "batch_size": 2000},
    "build": {"fine_tuning": "all"},
    "fine_tune": {"fine_tuning": "all", "fine_tuning_epochs": 100, "fine_tuning_rate": 1e-9},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Site]:
    running = Site(tmp_path_factory.mktemp("cancelling") / "data", prepared=prepared).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(site: Site) -> Client:
    return site.client("ada")


@pytest.fixture(scope="module")
def slug(client: Client) -> str:
    made = str(client.ok("POST", "/projects", {"name": "Colours"})["slug"])
    archive = make_zip(coloured_pictures(60))
    sent = client.ok("POST", f"/projects/{made}/uploads", {"layout": "first"}, [("file", "a.zip", archive)])
    client.wait_job(sent["job"])
    client.wait_job(client.ok("POST", f"/projects/{made}/train", {"promote": True})["job"])
    return made


def cancel_in(stage: str, job: int, waiting: int, client: Client, site: Site) -> float:
    """Cancel a job once it is in the stage; return the seconds until its worker has the one that waits."""
    site.wait(lambda: client.ok("GET", f"/jobs/{job}")["stage"] == stage, every=0.05)
    if stage != "fine_tune":  # which may be over by then, where nothing gets better
        time.sleep(0.3)
    begun = time.monotonic()
    assert client.ok("POST", f"/jobs/{job}/cancel")["status"] == "CANCELLED"
    site.wait(lambda: client.ok("GET", f"/jobs/{waiting}")["status"] != "QUEUED", every=0.05)
    return time.monotonic() - begun


@pytest.mark.parametrize("stage", STAGES)
def test_training_stops(stage: str, slug: str, client: Client, site: Site) -> None:
    wanted = {"force": True, "seed": list(STAGES).index(stage) + 1, **STAGES[stage]}
    job = client.ok("POST", f"/projects/{slug}/train", wanted)["job"]
    waiting = client.ok("POST", f"/projects/{slug}/versions/1/exports", {"format": "tflite"})["job"]
    took = cancel_in(stage, job, waiting, client, site)
    client.call("POST", f"/jobs/{waiting}/cancel")
    assert took < SECONDS


def test_export_stops_with_its_program(slug: str, client: Client, site: Site) -> None:
    job = client.ok("POST", f"/projects/{slug}/versions/1/exports", {"format": "saved_model"})["job"]
    waiting = client.ok("POST", f"/projects/{slug}/versions/1/exports", {"format": "keras"})["job"]
    took = cancel_in("build", job, waiting, client, site)
    client.call("POST", f"/jobs/{waiting}/cancel")
    assert took < SECONDS
