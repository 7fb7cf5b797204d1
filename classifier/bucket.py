"""Files in a bucket: S3 and what speaks its protocol."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import wraps
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

from classifier.outages import StorageAway
from classifier.storage import PartsLost

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 2, 4, 2  # so that a request has its answer within ten seconds
LOST = {"NoSuchUpload", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"}  # a multipart upload, or a part of it


@contextmanager
def asking() -> Iterator[None]:
    """Raise StorageAway for whatever the bucket's library raises."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StorageAway(f"The bucket does not do what is asked of it: {error}") from error


@contextmanager
def _asking_of_parts() -> Iterator[None]:
    """Tell parts that the bucket has lost, or that its lifecycle rules have expired, from a bucket that is away."""
    with asking():
        try:
            yield
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in LOST:
                raise
            raise PartsLost(0) from error


def _translated(name: str) -> Callable[..., Any]:
    """Return the method of S3Storage with errors that the callers of any storage expect."""
    method: Callable[..., Any] = getattr(S3Storage, name)

    @wraps(method)
    def call(self: S3Storage, *args: Any, **options: Any) -> Any:
        with asking():
            return method(self, *args, **options)

    return call


class BucketStorage(S3Storage):  # type: ignore[misc] # its package has no types
    """A bucket that is refused or does not answer raises `StorageAway`, an OSError, and soon."""

    def get_default_settings(self) -> dict[str, Any]:
        """Return the defaults, with time limits."""
        limits = Config(
            connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": ATTEMPTS}
        )
        return {**super().get_default_settings(), "client_config": limits}

    delete, exists, size = _translated("delete"), _translated("exists"), _translated("size")
    listdir = _translated("listdir")
    _save, _open_lazily = _translated("_save"), _translated("_open")

    def describe(self, name: str) -> tuple[int, str]:
        """Return the size and the ETag of a file. Raise FileNotFoundError."""
        found = self._head(name)
        return int(found["ContentLength"]), str(found["ETag"]).strip('"')

    def get_modified_time(self, name: str) -> datetime:
        """Return when a file was stored. Raise FileNotFoundError."""
        stored: datetime = self._head(name)["LastModified"]
        return stored

    def _head(self, name: str) -> dict[str, Any]:
        with asking():
            try:
                return dict(self._client.head_object(**self._at(name)))
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") != 404:
                    raise
                raise FileNotFoundError(name) from None

    def check(self) -> None:
        """Do what `check_storage` does: the bucket is there, and may be read."""
        with asking():
            self._client.head_bucket(Bucket=self.bucket_name)

    least_part = 5 * 2**20  # S3's, of a multipart upload

    def append(self, name: str, offset: int, data: bytes, state: dict[str, Any]) -> dict[str, Any]:
        """Do what `PartStorage.append` does, with a multipart upload. A bucket keeps what it has acknowledged."""
        if not offset:
            self.discard(name, state)
            with asking():
                begun = self._client.create_multipart_upload(**self._at(name))
            state = {"upload": begun["UploadId"], "etags": []}
        number = len(state.get("etags", [])) + 1
        with _asking_of_parts():
            part = self._client.upload_part(**self._parts_at(name, state), PartNumber=number, Body=data)
        return {**state, "etags": [*state["etags"], part["ETag"]]}

    def complete(self, name: str, size: int, state: dict[str, Any]) -> None:
        """Do what `PartStorage.complete` does."""
        if self.exists(name):
            return
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(state.get("etags", []), 1)]
        try:
            with _asking_of_parts():
                self._client.complete_multipart_upload(**self._parts_at(name, state), MultipartUpload={"Parts": parts})
        except PartsLost:
            if not self.exists(name):  # or it was completed meanwhile
                raise

    def discard(self, name: str, state: dict[str, Any]) -> None:
        """Do what `PartStorage.discard` does."""
        with suppress(PartsLost), _asking_of_parts():
            self._client.abort_multipart_upload(**self._parts_at(name, state))

    def received(self, name: str, state: dict[str, Any]) -> int:
        """Do what `PartStorage.received` does."""
        if self.exists(name):
            return int(self.size(name))
        try:
            with _asking_of_parts():
                pages = self._client.get_paginator("list_parts").paginate(**self._parts_at(name, state))
                return sum(part["Size"] for page in pages for part in page.get("Parts", []))
        except PartsLost:
            raise FileNotFoundError(name) from None

    def list_sizes(self, folder: str) -> Iterator[tuple[str, int]]:
        """List the name and the bytes of each file in a folder and below it."""
        root = self._normalize_name("x").removesuffix("x")  # where this storage begins in the bucket
        with asking():
            for one in self.bucket.objects.filter(Prefix=f"{root}{folder}/" if folder else root):
                yield one.key.removeprefix(root), one.size

    @property
    def _client(self) -> Any:
        return self.connection.meta.client

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket_name, "Key": self._normalize_name(clean_name(name))}

    def _parts_at(self, name: str, state: dict[str, Any]) -> dict[str, str]:
        if "upload" not in state:  # what came was kept by another storage
            raise PartsLost(0)
        return {**self._at(name), "UploadId": state["upload"]}

    def _open(self, name: str, mode: str = "rb") -> Any:
        try:
            file = self._open_lazily(name, mode)
            if "r" in mode:
                file.file  # noqa: B018 - fetches it here, where errors are translated
        except (BotoCoreError, ClientError) as error:
            raise StorageAway(f"The bucket does not give {name}: {error}") from error
        return file
