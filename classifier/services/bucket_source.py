"""A bucket from which pictures are brought in: its objects are listed, and fetched one by one, archives as a whole."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from django.conf import settings

from classifier.bucket import asking
from classifier.disk import wait_for_room
from ml.datasets.archives import (
    ArchiveLimits,
    ArchiveRejected,
    Opened,
    looks_like_archive,
    open_archive,
    open_listing,
)
from ml.datasets.entries import Survey, show_bytes, too_large
from ml.datasets.file_names import shows_something
from ml.datasets.folder_files import FileListing
from ml.datasets.litter import is_litter
from ml.datasets.names import EntryRefused
from ml.datasets.readings import Layout
from ml.files import open_atomically

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 20, 3
CHUNK = 2**20  # bytes of an archive between two looks whether it is still wanted
_REFUSED = ("AccessDenied", "AllAccessDisabled", "NoSuchBucket", "403", "404")
_GONE = ("NoSuchKey", "404")


def browse_bucket(address: str, path: str, most: int) -> tuple[list[str], list[str], int]:
    """Return the first folders below a path, the archives, and how many pictures are among the first objects."""
    bucket, prefix = _split(address, path)
    with _listing():
        found = _client().list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=most)
    folders = [one["Prefix"][len(prefix) :].rstrip("/") for one in found.get("CommonPrefixes", [])]
    names = [one["Key"][len(prefix) :] for one in found.get("Contents", [])]
    archives = [name for name in names if looks_like_archive(name) and not is_litter(name)]
    pictures = sum(shows_something(name) and not looks_like_archive(name) for name in names)
    return [folder for folder in folders if folder and not is_litter(folder)], archives, pictures


def open_bucket(address: str, path: str, limits: ArchiveLimits, layout: Layout) -> Opened:
    """List the objects below a path and plan them. Raise `ArchiveRejected`, `BadLayout`, StorageAway."""
    bucket, prefix = _split(address, path)
    survey, client = Survey(limits), _client()
    with _listing():
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for found in page.get("Contents", []):
                name, size = found["Key"][len(prefix) :], int(found["Size"])
                if name and not name.endswith("/"):  # those are folders that a console has made
                    survey.count()
                    survey.add(name, too_large(limits) if size > limits.max_file_bytes else None, size)
    return open_listing(FileListing.of(survey, lambda name: _fetch(client, bucket, prefix + name, limits)), layout)


def open_bucket_archive(
    address: str,
    path: str,
    limits: ArchiveLimits,
    layout: Layout,
    *,
    copy: Path,
    check: Callable[[int], None],
    alive: Callable[[], None],
) -> Opened | None:
    """Fetch an archive to a file beside `copy`, if it is not there, and plan it; None if there is no such object.

    Args:
        check: is told how many bytes it has, before they are fetched, and may raise.
        alive: is called while it is fetched; what it raises ends that.

    Raise `ArchiveRejected`, `BadLayout`, StorageAway, and the OSError of a full disk.
    """
    bucket, prefix = _split(address, path)
    client, key = _client(), prefix.rstrip("/")
    try:
        with _asking(_GONE, FileNotFoundError(key)):
            found = client.head_object(Bucket=bucket, Key=key)
    except FileNotFoundError:
        return None
    # An object that has been replaced meanwhile is another one.
    target = copy.with_name(f"{copy.name}-{hashlib.sha256(found['ETag'].encode()).hexdigest()[:16]}")
    if not target.exists():
        _check_size(found["ContentLength"], limits, check)
        _download(client, {"Bucket": bucket, "Key": key, "IfMatch": found["ETag"]}, target, alive)
    return open_archive(target, limits, layout)


def _check_size(size: int, limits: ArchiveLimits, check: Callable[[int], None]) -> None:
    if size > limits.max_total_bytes:
        raise ArchiveRejected(f"The archive is larger than {show_bytes(limits.max_total_bytes)}. Bring it in in parts.")
    check(size)
    wait_for_room(size)


def _download(client: Any, wanted: dict[str, str], target: Path, alive: Callable[[], None]) -> None:
    with _listing(), open_atomically(target) as file:
        for chunk in client.get_object(**wanted)["Body"].iter_chunks(CHUNK):
            file.write(chunk)
            wait_for_room()
            alive()


def _fetch(client: Any, bucket: str, key: str, limits: ArchiveLimits) -> bytes:
    """Return the content of an object. Raise `EntryRefused`, StorageAway."""
    with _asking(_GONE, EntryRefused("It is no longer in the bucket.")):
        data = bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read(limits.max_file_bytes + 1))
    if len(data) > limits.max_file_bytes:
        raise EntryRefused(too_large(limits))
    return data


def _split(address: str, path: str) -> tuple[str, str]:
    """Return the bucket, and what the keys of the folder begin with."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    whole = "/".join(part for part in (prefix, path) if part)
    return bucket, f"{whole}/" if whole else ""


@contextmanager
def _asking(codes: Sequence[str], refusal: Exception) -> Iterator[None]:
    """Raise `refusal` for these errors, which do not pass by themselves, and StorageAway for the rest."""
    with asking():
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] in codes:
                raise refusal from error
            raise


def _listing() -> AbstractContextManager[None]:
    return _asking(_REFUSED, ArchiveRejected("The bucket cannot be read: it does not exist, or this site may not."))


def _client() -> Any:
    limits = Config(
        connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": ATTEMPTS}
    )
    return boto3.session.Session().client("s3", endpoint_url=settings.S3_ENDPOINT_URL, config=limits)
