"""Any process may die at any moment, and the broker may forget: no job is lost and nothing is computed twice."""

import time
from pathlib import Path

import psutil
import pytest

from tests.datasets import coloured_pictures, make_zip
from tests.integration.test_whole_path import computed_pictures
from tests.site import Client, Site

pytestmark = [pytest.mark.site, pytest.mark.timeout(300)]


@pytest.fixture
def own_site(data: Path, backbones: Path):  # type: ignore[no-untyped-def]
    site = Site(data, backbones=backbones, EMBED_WORKERS="1", WEB_WORKERS="1").start()
    yield site
    site.stop()


def processes(site: Site, *words: str) -> list[psutil.Process]:
    """The site's processes whose command line has all these words, parents first."""
    assert site.process is not None
    found = psutil.Process(site.process.pid).children(recursive=True)
    return [one for one in found if one.is_running() and all(word in one.cmdline() for word in words)]


def fill(owner: Client, name: str, each: int) -> str:
    slug = str(owner.ok("POST", "/projects", {"name": name})["slug"])
    archive = [("file", "colours.zip", make_zip(coloured_pictures(each)))]
    job = owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])
    assert job["status"] == "SUCCEEDED", job["error"]
    return slug


def test_killed_worker_in_the_middle_of_embedding(own_site: Site) -> None:
    owner = own_site.client("owner")
    slug = fill(owner, "Killed", each=500)
    number = owner.ok("POST", f"/projects/{slug}/train", {})["job"]

    def halfway() -> bool:
        job = owner.ok("GET", f"/jobs/{number}")
        assert job["status"] in ("QUEUED", "RUNNING"), "it ended before it could be killed"
        return job["stage"] == "embed" and job["done"] >= 100

    own_site.wait(halfway, 60, every=0.01)
    for process in processes(own_site, "celery", "worker@%h"):
        if "poetsweb.supervise" not in process.cmdline():
            process.kill()
    before = owner.ok("GET", f"/jobs/{number}")
    assert before["status"] == "RUNNING"
    assert before["done"] < 1500

    job = owner.wait_job(number, 120)
    assert job["status"] == "SUCCEEDED", job["error"]
    # What was stored before the kill was not computed again: the jobs' own counts add up to every picture
    # once, less those whose job died after storing and before counting (one chunk at most).
    assert 1500 - 64 <= computed_pictures(owner, number) <= 1500
    code = "from classifier.models import Embedding; print(Embedding.objects.count())"
    assert int(own_site.manage("shell", "--no-imports", "-c", code).stdout.split()[-1]) == 1500


def test_valkey_emptied_while_a_job_is_queued(own_site: Site) -> None:
    owner = own_site.client("owner")
    slug = fill(owner, "Forgotten", each=5)
    trainers = processes(own_site, "celery", "trainer@%h")
    (keeper,) = [one for one in trainers if "poetsweb.supervise" in one.cmdline()]
    keeper.suspend()  # or it would start another
    for process in trainers:
        if process != keeper:
            process.kill()
    number = owner.ok("POST", f"/projects/{slug}/train", {"force": True})["job"]
    assert ask_valkey(own_site, "client.llen('train')") == "1"
    assert ask_valkey(own_site, "(client.flushall(), client.dbsize())[1]") == "0"
    assert owner.ok("GET", f"/jobs/{number}")["status"] == "QUEUED"
    keeper.resume()
    job = owner.wait_job(number, 90)
    assert job["status"] == "SUCCEEDED", job["error"]


def ask_valkey(site: Site, expression: str) -> str:
    code = (
        "import redis; from django.conf import settings; "
        f"client = redis.Redis.from_url(settings.CACHE_URL); print({expression})"
    )
    return site.manage("shell", "--no-imports", "-c", code).stdout.split()[-1]


def test_data_survives_a_restart(data: Path, backbones: Path) -> None:
    site = Site(data, backbones=backbones).start()
    owner = site.client("owner")
    slug = fill(owner, "Restarted", each=5)
    assert site.stop() == 0
    begun = time.monotonic()
    site.start()
    try:
        assert time.monotonic() - begun < 30
        assert {row["samples"] for row in owner.ok("GET", f"/projects/{slug}")["classes"]} == {5}
    finally:
        site.stop()


def test_cancel_is_seen_at_once_and_publishes_nothing(own_site: Site) -> None:
    owner = own_site.client("owner")
    slug = fill(owner, "Cancelled", each=400)
    number = owner.ok("POST", f"/projects/{slug}/train", {})["job"]
    own_site.wait(lambda: owner.ok("GET", f"/jobs/{number}")["stage"] == "embed", 60, every=0.01)
    assert owner.ok("POST", f"/jobs/{number}/cancel")["status"] == "CANCELLED"
    time.sleep(2)
    code = (
        "from classifier.models import Job, Embedding; "
        "print(Job.objects.exclude(lease='').count(), Embedding.objects.count())"
    )
    held, stored = own_site.manage("shell", "--no-imports", "-c", code).stdout.split()[-2:]
    assert held == "0"
    assert int(stored) < 1200
    assert owner.ok("GET", f"/projects/{slug}/versions") == []
    assert owner.call("POST", f"/jobs/{number}/cancel")[0] == 409


def test_killed_worker_in_the_middle_of_an_archive(own_site: Site) -> None:
    owner = own_site.client("owner")
    slug = str(owner.ok("POST", "/projects", {"name": "Half read"})["slug"])
    archive = [("file", "colours.zip", make_zip(coloured_pictures(1500)))]
    number = owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"]

    def begun() -> bool:
        job = owner.ok("GET", f"/jobs/{number}")
        assert job["status"] in ("QUEUED", "RUNNING"), "it ended before it could be killed"
        return job["done"] > 0

    own_site.wait(begun, 60, every=0.01)
    for process in processes(own_site, "celery", "worker@%h"):
        if "poetsweb.supervise" not in process.cmdline():
            process.kill()
    job = owner.wait_job(number, 120)
    assert job["status"] == "SUCCEEDED", job["error"]
    assert job["result"]["counts"] == {"stored": 4500}  # each file is reported once, by what became of it


def test_killed_valkey_is_started_again(own_site: Site) -> None:
    owner = own_site.client("owner")
    slug = fill(owner, "Without a broker", each=5)
    assert own_site.process is not None
    family = psutil.Process(own_site.process.pid).children(recursive=True)
    (valkey,) = [one for one in family if "valkey-server" in one.name()]
    valkey.kill()
    number = owner.ok("POST", f"/projects/{slug}/train", {"force": True})["job"]
    job = owner.wait_job(number, 90)
    assert job["status"] == "SUCCEEDED", job["error"]
