"""Any process may die at any moment, and the broker may forget: no job is lost and nothing is computed twice.

The tests share a site; each leaves it at work. What is to be met in the middle is begun with more and more pictures
until it is: no test depends on how fast the machine is.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.datasets import COLOURS, coloured_pictures, make_zip
from tests.integration.test_whole_path import computed_pictures
from tests.processes import kill_worker, processes
from tests.site import Client, Site
from worker.embed import MAX_CHUNK

pytestmark = [pytest.mark.site, pytest.mark.timeout(400)]

SIZES = (300, 600, 1200, 2400)  # pictures of each class


@pytest.fixture(scope="module")
def own_site(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("recovery") / "data"
    site = Site(folder, prepared=prepared, EMBED_WORKERS="1", WEB_WORKERS="1").start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def owner(own_site: Site) -> Client:
    return own_site.client("owner")


def begin_ingest(owner: Client, name: str, each: int, seed: int) -> tuple[str, int]:
    """Start an ingest and return (slug, job)."""
    slug = str(owner.ok("POST", "/projects", {"name": f"{name} {each}"})["slug"])
    archive = [("file", "colours.zip", make_zip(coloured_pictures(each, seed=seed)))]
    return slug, int(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])


def fill(owner: Client, name: str, each: int, seed: int) -> str:
    slug, number = begin_ingest(owner, name, each, seed)
    owner.succeed(number)
    return slug


def train(owner: Client, slug: str) -> int:
    """Start a training and return its job, without asking whether a worker is there."""
    return int(owner.ok("POST", f"/projects/{slug}/train", {"force": True})["job"])


def meet_in_the_middle(owner: Client, number: int, stage: str) -> bool:
    """Return whether the job was seen at work in this stage; False if it had ended before."""

    def seen() -> str:
        job = owner.ok("GET", f"/jobs/{number}")
        if job["status"] not in ("QUEUED", "RUNNING"):
            return "ended"
        return "met" if job["stage"] == stage and job["done"] else ""

    return bool(owner.site.wait(seen, 120, every=0.01) == "met")


def ask(site: Site, code: str) -> str:
    """Run code in the site's environment and return the last word that it prints."""
    return site.manage("shell", "--no-imports", "-c", code).stdout.split()[-1]


def stored_embeddings(site: Site, slug: str) -> int:
    code = "from classifier.models import Embedding; "
    return int(ask(site, f"{code}print(Embedding.objects.filter(image__samples__project__slug='{slug}').count())"))


def ask_broker(site: Site, expression: str) -> str:
    code = "import redis; from django.conf import settings; client = redis.Redis.from_url(settings.CACHE_URL); "
    return ask(site, f"{code}print({expression})")


def test_killed_worker_in_the_middle_of_embedding(own_site: Site, owner: Client) -> None:
    def kill_in_the_middle() -> tuple[str, int, int]:
        for each in SIZES:
            slug = fill(owner, "Killed", each, seed=each * 10_000)
            number = train(owner, slug)
            if meet_in_the_middle(owner, number, "embed"):
                kill_worker(own_site, "worker")
                job = owner.ok("GET", f"/jobs/{number}")
                if job["stage"] == "embed" and job["done"] < job["total"]:
                    return slug, number, job["total"]
        raise AssertionError("It always ended before it could be killed.")

    slug, number, pictures = kill_in_the_middle()
    owner.succeed(number, 120)
    # What was stored before the kill was not computed again: the jobs' own counts add up to every picture
    # once, less those whose job died after storing and before counting.
    assert pictures - MAX_CHUNK <= computed_pictures(owner, number) <= pictures
    assert stored_embeddings(own_site, slug) == pictures


def test_broker_emptied_while_a_job_is_queued(own_site: Site, owner: Client) -> None:
    slug = fill(owner, "Forgotten", 5, seed=1)
    (keeper,) = processes(own_site, "poetsweb.supervise", "trainer@%h")
    keeper.suspend()  # or it would start another
    try:
        kill_worker(own_site, "trainer")
        number = train(owner, slug)
        # A message that the dead one still took is sent again by the reaper.
        own_site.wait(lambda: ask_broker(own_site, "client.llen('train')") != "0", 60)
        ask_broker(own_site, "client.flushdb()")
        assert owner.ok("GET", f"/jobs/{number}")["status"] == "QUEUED"
    finally:
        keeper.resume()
    owner.succeed(number, 120)


def test_data_survives_a_restart(own_site: Site, owner: Client) -> None:
    slug = fill(owner, "Restarted", 5, seed=2)
    assert own_site.stop() == 0
    own_site.start()
    assert {row["samples"] for row in owner.ok("GET", f"/projects/{slug}")["classes"]} == {5}


def test_cancel_is_seen_at_once_and_publishes_nothing(own_site: Site, owner: Client) -> None:
    def cancel_in_the_middle() -> tuple[str, int, int]:
        for each in SIZES:
            slug = fill(owner, "Cancelled", each, seed=each * 10_000 + 5000)
            number = train(owner, slug)
            if meet_in_the_middle(owner, number, "embed") and owner.call("POST", f"/jobs/{number}/cancel")[0] == 200:
                job = owner.ok("GET", f"/jobs/{number}")
                if job["done"] + MAX_CHUNK < each * len(COLOURS):
                    return slug, number, job["done"]
        raise AssertionError("It always ended before it could be cancelled.")

    slug, number, done = cancel_in_the_middle()
    assert owner.ok("GET", f"/jobs/{number}")["status"] == "CANCELLED"
    own_site.wait(lambda: is_idle(own_site, "worker"), 60)
    code = "from classifier.models import Job; print(Job.objects.exclude(lease='').count())"
    assert ask(own_site, code) == "0"
    assert stored_embeddings(own_site, slug) <= done + MAX_CHUNK  # what it had in hand
    assert owner.ok("GET", f"/projects/{slug}/versions") == []
    assert owner.call("POST", f"/jobs/{number}/cancel")[0] == 409


def is_idle(site: Site, name: str) -> bool:
    """Return whether the worker says that it has nothing to do."""
    code = (
        "from poetsweb.celery import app; at_work = app.control.inspect(timeout=3).active() or {}; "
        f"print([tasks for worker, tasks in at_work.items() if worker.startswith('{name}@')] == [[]])"
    )
    return ask(site, code) == "True"


def test_killed_worker_in_the_middle_of_an_archive(own_site: Site, owner: Client) -> None:
    def kill_in_the_middle() -> tuple[int, int]:
        for each in SIZES:
            _, number = begin_ingest(owner, "Half read", each, seed=7)
            if meet_in_the_middle(owner, number, "read"):
                kill_worker(own_site, "worker")
                if owner.ok("GET", f"/jobs/{number}")["status"] == "RUNNING":
                    return number, each
        raise AssertionError("It always ended before it could be killed.")

    number, each = kill_in_the_middle()
    job = owner.succeed(number, 120)
    assert job["result"]["counts"] == {"stored": each * len(COLOURS)}  # each file once, by what became of it
