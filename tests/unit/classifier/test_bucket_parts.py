"""A bucket takes an archive in parts as a multipart upload: what it acknowledged it keeps, and nothing is copied."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

pytest.importorskip("boto3", reason="A bucket is an extra.")
server = pytest.importorskip("moto.server", reason="requirements-dev.txt is not installed")
moto = pytest.importorskip("moto.s3.models")

from classifier.bucket import BucketStorage
from classifier.models import PartialUpload, Project
from classifier.outages import StorageAway
from classifier.services import resumable
from classifier.services.accounts import create_api_key
from classifier.storage import PartsLost
from ml.errors import Refused
from tests.unit.classifier.tus import Tus

MB = 2**20
NAME = "incoming/1/token"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketStorage]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("upload_part", "complete_multipart_upload"):
        monkeypatch.setattr(moto.S3Backend, name, refuse_lost(getattr(moto.S3Backend, name)))
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    address = f"http://127.0.0.1:{running.get_host_and_port()[1]}"
    storage = BucketStorage(bucket_name="poetsweb", endpoint_url=address, region_name="us-east-1", file_overwrite=True)
    storage.connection.create_bucket(Bucket="poetsweb")
    yield storage
    for backend in moto.s3_backends["123456789012"].values():
        backend.reset()
    running.stop()


def refuse_lost(method: Any) -> Any:
    """Answer about an upload that is not there as S3 does, where moto fails."""

    def call(self: Any, bucket_name: str, multipart_id: str, *rest: Any) -> Any:
        if multipart_id not in self.get_bucket(bucket_name).multiparts:
            raise moto.NoSuchUpload(upload_id=multipart_id)
        return method(self, bucket_name, multipart_id, *rest)

    return call


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
        bucket.complete(NAME, offset, state)
    with bucket.open(NAME) as file:
        assert file.read() == b"".join(parts)
    assert bucket.received(NAME, state) == offset


def test_discarded_parts_are_gone(bucket: BucketStorage) -> None:
    state = bucket.append(NAME, 0, b"a", {})
    for _ in range(2):
        bucket.discard(NAME, state)
    assert bucket.append(NAME, 0, b"a", state)["upload"] != state["upload"]


def lose_parts(bucket: BucketStorage) -> None:
    """Do what a lifecycle rule of the bucket does that ends old multipart uploads."""
    client = bucket.connection.meta.client
    for upload in client.list_multipart_uploads(Bucket="poetsweb").get("Uploads", []):
        client.abort_multipart_upload(Bucket="poetsweb", Key=upload["Key"], UploadId=upload["UploadId"])


def test_lost_parts_are_told_from_a_bucket_that_is_away(bucket: BucketStorage) -> None:
    state = bucket.append(NAME, 0, b"a" * 6 * MB, {})
    lose_parts(bucket)
    with pytest.raises(PartsLost):
        bucket.append(NAME, 6 * MB, b"b", state)
    with pytest.raises(PartsLost):
        bucket.complete(NAME, 6 * MB, state)
    with pytest.raises(FileNotFoundError):
        bucket.received(NAME, state)
    bucket.discard(NAME, state)


def test_parts_that_another_storage_kept_are_lost(bucket: BucketStorage) -> None:
    """A site moves to a bucket while an upload is under way."""
    with pytest.raises(PartsLost):
        bucket.append(NAME, 6 * MB, b"b", {})
    with pytest.raises(PartsLost):
        bucket.complete(NAME, 6 * MB, {})
    with pytest.raises(FileNotFoundError):
        bucket.received(NAME, {})
    bucket.discard(NAME, {})


def test_parts_are_lost_only_if_there_is_no_whole_file(bucket: BucketStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process completes the upload between the look for the file and the completion."""
    state = bucket.append(NAME, 0, b"a" * 6 * MB, {})
    bucket.complete(NAME, 6 * MB, state)
    looks = iter([False, True])
    monkeypatch.setattr(bucket, "exists", lambda name: next(looks))
    bucket.complete(NAME, 6 * MB, state)


def test_bucket_that_is_away_is_an_outage(bucket: BucketStorage) -> None:
    state = bucket.append(NAME, 0, b"a" * 6 * MB, {})
    lose_parts(bucket)
    bucket.connection.meta.client.delete_bucket(Bucket="poetsweb")
    with pytest.raises(StorageAway):
        bucket.append(NAME, 6 * MB, b"b", state)


DATA = b"x" * 7 * MB


@pytest.fixture
def api(bucket: BucketStorage, project: Project, client: Client, monkeypatch: pytest.MonkeyPatch) -> Tus:
    monkeypatch.setattr(resumable, "part_storage", lambda: bucket)
    return Tus(client, create_api_key(project.owner, "test")[1])


def uploaded(bucket: BucketStorage) -> bytes:
    upload = PartialUpload.objects.get().upload
    assert upload is not None
    assert upload.job is not None
    with bucket.open(upload.job.config["archive"]) as file:
        return bytes(file.read())


def test_upload_begins_again_when_the_bucket_has_lost_it(api: Tus, bucket: BucketStorage) -> None:
    address = api.begin(len(DATA))["Location"]
    api.send(address, 0, DATA[: 5 * MB])
    lose_parts(bucket)
    answer = api.send(address, 5 * MB, DATA[5 * MB :])
    assert answer.status_code == 409
    assert "has lost what had come" in answer.json()["error"]
    assert api.offset(address) == 0
    api.send(address, 0, DATA[: 5 * MB])
    assert api.send(address, 5 * MB, DATA[5 * MB :]).status_code == 204
    assert uploaded(bucket) == DATA


def test_upload_that_was_lost_when_all_had_come(api: Tus, bucket: BucketStorage, project: Project) -> None:
    address = api.begin(len(DATA))["Location"]
    api.send(address, 0, DATA[: 5 * MB])
    finish = resumable.finish
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(resumable, "finish", lambda partial: (lose_parts(bucket), finish(partial))[1])
        answer = api.send(address, 5 * MB, DATA[5 * MB :])
    assert (answer.status_code, api.offset(address)) == (409, 0)
    assert project.uploads.count() == 0
    api.send(address, 0, DATA)
    assert uploaded(bucket) == DATA


def test_reaper_goes_past_an_upload_that_the_bucket_has_lost(
    api: Tus, bucket: BucketStorage, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(resumable, "finish", lambda partial: partial)  # the process dies before
        lost, kept = (api.begin(len(DATA))["Location"] for _ in range(2))
        api.send(lost, 0, DATA)
        lose_parts(bucket)
        api.send(kept, 0, DATA)
    resumable.tend_partial_uploads()
    assert project.uploads.count() == 1
    assert (api.offset(lost), api.offset(kept)) == (0, len(DATA))


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
