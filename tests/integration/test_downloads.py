"""Pictures are downloaded from a running site: whole, by several at once, and by clients that go away or stall."""

import http.client
import io
import socket
import zipfile
from contextlib import ExitStack

import pytest

from tests.datasets import make_zip
from tests.pictures import photo_like_jpeg
from tests.site import Site

pytestmark = pytest.mark.site
COPIES = 400  # of 40 KB: more than sockets hold between the site and a client that takes nothing
STALLED = 16


@pytest.fixture(scope="module")
def address(site: Site) -> str:
    photo = photo_like_jpeg(1)
    files = {f"{'ab'[n % 2]}/{n}.jpg": photo + n.to_bytes(2, "big") for n in range(COPIES)}
    owner = site.client("owner")
    slug = owner.ok("POST", "/projects", {"name": "To take out"})["slug"]
    sent = owner.ok("POST", f"/projects/{slug}/uploads", {"layout": "first"}, [("file", "a.zip", make_zip(files))])
    owner.wait_job(sent["job"])
    return f"/api/v1/projects/{slug}/download"


def ask(site: Site, address: str, key: str, *, takes: int = 2**20) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes)
    connection.request("GET", address, headers={"Authorization": f"Bearer {key}", "Connection": "close"})
    return connection


def test_whole_download(site: Site, address: str) -> None:
    answer = ask(site, address, site.client("owner").key).getresponse()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.read())) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == COPIES + 1


def test_clients_that_stall_leave_threads_to_others(site: Site, address: str) -> None:
    owner = site.client("owner")
    with ExitStack() as opened:
        connections = [ask(site, address, owner.key, takes=4096) for _ in range(STALLED)]
        answers = [opened.enter_context(connection.getresponse()) for connection in connections]
        assert {answer.status for answer in answers} == {200, 503}
        assert owner.ok("GET", "/projects")
    # They have gone: their turns are free again.
    site.wait(lambda: ask(site, address, owner.key).getresponse().status == 200)
