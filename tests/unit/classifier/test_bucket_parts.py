"""A bucket takes an archive in parts as a multipart upload: what it acknowledged it keeps, and nothing is copied."""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("boto3", reason="A bucket is an extra.")
server = pytest.importorskip("moto.server", reason="requirements-dev.txt is not installed")

from classifier.bucket import BucketStorage
from classifier.models import PartialUpload, Project
from classifier.services import resumable
from ml.errors import Refused

MB = 2**20
NAME = "incoming/1/token"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketStorage]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    address = f"http://127.0.0.1:{running.get_host_and_port()[1]}"
    storage = BucketStorage(bucket_name="poetsweb", endpoint_url=address, region_name="us-east-1", file_overwrite=True)
    storage.connection.create_bucket(Bucket="poetsweb")
    yield storage
    running.stop()


def test_parts_become_a_file(bucket: BucketStorage) -> None:
    parts = [b"a" * 6 * MB, b"b" * 5 * MB, b"c"]
    state: dict[str, Any] = {}
    offset = 0
    for part in parts:
        state = bucket.append(NAME, offset, part, state)
        offset += len(part)
        assert bucket.received(NAME, state) == offset
    assert not bucket.exists(NAME)
    for _ in range(2):  # a second time changes nothing
        bucket.complete(NAME, state)
    with bucket.open(NAME) as file:
        assert file.read() == b"".join(parts)
    assert bucket.received(NAME, state) == offset


def test_discarded_parts_are_gone(bucket: BucketStorage) -> None:
    state = bucket.append(NAME, 0, b"a", {})
    for _ in range(2):
        bucket.discard(NAME, state)
    assert bucket.append(NAME, 0, b"a", state)["upload"] != state["upload"]


def test_upload_through_the_service(bucket: BucketStorage, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable, "part_storage", lambda: bucket)
    data = b"x" * 7 * MB
    partial = resumable.begin(project, resumable.Announced("a.zip", len(data)), by=project.owner)
    with pytest.raises(Refused, match="5 MB or more"):
        resumable.append(partial, 0, data[:MB])
    resumable.append(partial, 0, data[: 5 * MB])
    resumable.append(partial, 5 * MB, data[5 * MB :])
    upload = PartialUpload.objects.get().upload
    assert upload is not None
    assert upload.job is not None
    assert bucket.size(upload.job.config["archive"]) == len(data)
