"""A bucket that refuses or hangs raises an OSError that says that it is away, and soon."""

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.base import ContentFile

pytest.importorskip("boto3", reason="A bucket is an extra.")

from classifier.bucket import BucketStorage
from classifier.outages import STORAGE, find_outage

REQUEST_SECONDS = 10.0
ASKS: list[Any] = [
    lambda bucket: bucket.exists("name"),
    lambda bucket: bucket.size("name"),
    lambda bucket: bucket.delete("name"),
    lambda bucket: bucket.listdir(""),
    lambda bucket: bucket.save("name", ContentFile(b"data")),
    lambda bucket: bucket.open("name").read(),
    lambda bucket: bucket.get_modified_time("name"),
]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return lambda port: BucketStorage(
        bucket_name="poetsweb", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", file_overwrite=True
    )


class Refusing(http.server.BaseHTTPRequestHandler):
    def refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = refuse

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def check_away(ask: Any, storage: Any) -> None:
    _ = storage.bucket  # what describes the service is read first, which takes a busy machine seconds
    begun = time.monotonic()
    with pytest.raises(OSError, match=r".") as caught:
        ask(storage)
    assert find_outage(caught.value) == STORAGE
    assert time.monotonic() - begun < REQUEST_SECONDS


@pytest.mark.parametrize("ask", ASKS)
def test_bucket_that_refuses(ask: Any, bucket: Any, refusing: int) -> None:
    check_away(ask, bucket(refusing))


@pytest.mark.parametrize("ask", ASKS)
def test_bucket_that_is_not_there(ask: Any, bucket: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check_away(ask, bucket(port))


@pytest.mark.slow
def test_bucket_that_hangs(bucket: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_away(ASKS[0], bucket(server.getsockname()[1]))
