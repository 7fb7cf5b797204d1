"""Parts of one archive from many clients at once, on a real server: each is kept once, and nothing else."""

import base64
import http.client
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.datasets import coloured_pictures, make_zip
from tests.site import Client

pytestmark = pytest.mark.site

PART = 5 * 2**20  # the least that S3 takes
CLIENTS = 4


class Sender:
    """A client that sends part after part, and asks where to go on whenever it is refused."""

    def __init__(self, owner: Client, path: str, data: bytes) -> None:
        self.owner, self.path, self.data = owner, path, data
        self.statuses: list[int] = []

    def ask(self, method: str, body: bytes | None = None, **said: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.site.port, timeout=60)
        headers = {name.replace("_", "-"): value for name, value in said.items()}
        connection.request(method, self.path, body, {"Authorization": f"Bearer {self.owner.key}", **headers})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def offset(self) -> int:
        return int(self.ask("HEAD").headers["Upload-Offset"])

    def run(self) -> None:
        while (start := self.offset()) < len(self.data):
            said = {"Upload_Offset": str(start), "Content_Type": "application/offset+octet-stream"}
            self.statuses.append(self.ask("PATCH", self.data[start : start + PART], **said).status)


@pytest.mark.parametrize("round_", range(3))
def test_each_part_is_kept_once(round_: int, owner: Client) -> None:
    slug = owner.ok("POST", "/projects", {"name": "At once"})["slug"]
    noise = random.Random(round_).randbytes(4 * PART)
    data = make_zip({**coloured_pictures(2, seed=8000 + 10 * round_), "red/LICENSE.bin": noise})
    address = f"/api/v1/projects/{slug}/resumable"
    name = base64.b64encode(b"photos.zip").decode()
    begun = Sender(owner, address, data).ask("POST", Upload_Length=str(len(data)), Upload_Metadata=f"filename {name}")
    senders = [Sender(owner, begun.headers["Location"], data) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(Sender.run, senders))
    statuses = [status for sender in senders for status in sender.statuses]
    assert set(statuses) <= {204, 409}
    assert statuses.count(204) == -(-len(data) // PART)
    # The reaper may be the one that makes the whole archive an upload, a moment after the last part.
    (upload,) = owner.site.wait(lambda: owner.ok("GET", f"/projects/{slug}/uploads"))
    job = owner.wait_job(upload["job"])
    assert (job["status"], job["result"]["counts"]["stored"]) == ("SUCCEEDED", 6)
