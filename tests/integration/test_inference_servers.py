"""In a running site a picture that crashes its reader harms nobody else, and answers survive the servers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from ml.images.isolated import CRASHES
from tests.datasets import coloured_pictures, make_zip
from tests.fragile_codec import deadly, python_path
from tests.pictures import make_jpeg
from tests.site import Client, Site

pytestmark = pytest.mark.site


@pytest.fixture(scope="module")
def fragile_site(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("fragile")
    site = Site(folder / "data", prepared=prepared, PYTHONPATH=python_path(folder), EMBED_WORKERS="1").start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def owner(fragile_site: Site) -> Client:
    return fragile_site.client("owner")


@pytest.fixture(scope="module")
def slug(owner: Client) -> str:
    slug = str(owner.ok("POST", "/projects", {"name": "Colours"})["slug"])
    archive = [("file", "colours.zip", make_zip(coloured_pictures(20)))]
    owner.wait_job(owner.ok("POST", f"/projects/{slug}/uploads", {}, archive)["job"])
    owner.succeed(owner.ok("POST", f"/projects/{slug}/train", {"promote": True})["job"], 120)
    return slug


def classify(owner: Client, slug: str, data: bytes) -> tuple[int, dict[str, object]]:
    status, answer = owner.call("POST", f"/projects/{slug}/classify", {}, [("image", "x.jpg", data)])
    return status, answer


def servers(site: Site) -> list[psutil.Process]:
    assert site.process is not None
    family = psutil.Process(site.process.pid).children(recursive=True)
    return [one for one in family if "ml.serving.server" in " ".join(one.cmdline())]


def web_processes(site: Site) -> set[int]:
    return {parent.pid for server in servers(site) if (parent := server.parent()) is not None}


def test_picture_that_crashes_its_reader_takes_no_other_request_along(
    fragile_site: Site, owner: Client, slug: str
) -> None:
    before = web_processes(fragile_site)
    pictures = [deadly() if number % 5 == 0 else make_jpeg(number) for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda data: classify(owner, slug, data), pictures))
    assert [status for status, _ in answers] == [422 if number % 5 == 0 else 200 for number in range(20)]
    assert {answer["error"] for _, answer in answers[::5]} == {CRASHES}
    fragile_site.wait(lambda: web_processes(fragile_site) == before, 10)


def test_upload_refuses_it_by_name_and_keeps_the_others(owner: Client, slug: str) -> None:
    files = [("file", name, data) for name, data in (("1.jpg", make_jpeg(901)), ("bad.jpg", deadly()))]
    results = owner.ok("POST", f"/projects/{slug}/uploads", {"class": "red"}, files)["results"]
    assert [(one["file"], one["status"]) for one in results] == [("1.jpg", "stored"), ("bad.jpg", "rejected")]
    assert results[1]["reason"] == CRASHES


def test_answers_go_on_when_all_servers_are_killed(fragile_site: Site, owner: Client, slug: str) -> None:
    for server in servers(fragile_site):
        server.kill()
    assert classify(owner, slug, make_jpeg(1))[0] == 200
