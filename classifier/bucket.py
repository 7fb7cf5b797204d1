"""Files in a bucket: S3 and what speaks its protocol."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

from classifier.outages import StorageAway

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 2, 4, 2  # so that a request has its answer within ten seconds


def _translated(name: str) -> Callable[..., Any]:
    """Return the method of S3Storage with errors that the callers of any storage expect."""
    method: Callable[..., Any] = getattr(S3Storage, name)

    @wraps(method)
    def call(self: S3Storage, *args: Any, **options: Any) -> Any:
        try:
            return method(self, *args, **options)
        except (BotoCoreError, ClientError) as error:
            raise StorageAway(f"The bucket does not do what is asked of it: {error}") from error

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
    listdir, get_modified_time = _translated("listdir"), _translated("get_modified_time")
    _save, _open_lazily = _translated("_save"), _translated("_open")

    def _open(self, name: str, mode: str = "rb") -> Any:
        try:
            file = self._open_lazily(name, mode)
            if "r" in mode:
                file.file  # noqa: B018 - fetches it here, where errors are translated
        except (BotoCoreError, ClientError) as error:
            raise StorageAway(f"The bucket does not give {name}: {error}") from error
        return file
