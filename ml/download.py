"""Download a file over HTTP, with limits on its size and on the waiting time, checked, and complete or not at all."""

import hashlib
import os
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from ml.errors import Unavailable

TIMEOUT = 30  # seconds without a byte
CHUNK = 2**18


class DownloadFailed(Unavailable):
    """A download failed. The message is a sentence for the user."""


def download(
    address: str,
    target: Path,
    report: Callable[[int, int], None],
    *,
    what: str,
    limit: int,
    checksum: str | None = None,
    otherwise: str = "",
) -> None:
    """Download `address` to `target`, calling report(bytes so far, bytes in total).

    Only one download at a time may write to a target. Raise `DownloadFailed` if the file does not arrive complete and
    with the right checksum.

    Args:
        what: the subject of the error messages, such as "The flowers".
        limit: the number of bytes after which the download is stopped.
        checksum: MD5 or SHA-256, hexadecimal, if the publisher gives one.
        otherwise: a sentence that says what the user can do instead.
    """
    if not address.startswith(("https://", "http://")):
        raise DownloadFailed(f"{what} cannot be downloaded: {address} is not a web address.")
    target.parent.mkdir(parents=True, exist_ok=True)
    # `open_atomically` does not fit: with a fixed name, the next download overwrites what a killed process left.
    aside = target.with_name(f".{target.name}.part")
    try:
        with aside.open("wb") as out:
            found = _receive(address, out.write, report, what, limit, otherwise)
        if checksum is not None and checksum not in found:
            raise DownloadFailed(f"{what} arrived damaged: the checksum differs. Please try again. {otherwise}".strip())
        os.replace(aside, target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _receive(
    address: str,
    write: Callable[[bytes], object],
    report: Callable[[int, int], None],
    what: str,
    limit: int,
    otherwise: str,
) -> list[str]:
    """Receive the content, pass it to `write`, and return its MD5 and SHA-256."""
    request = Request(address, headers={"User-Agent": "PoetsWeb"})  # noqa: S310 - checked above
    checksums, received = (hashlib.md5(usedforsecurity=False), hashlib.sha256()), 0
    try:
        with urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
            total = int(response.headers.get("Content-Length") or 0)
            while chunk := response.read(CHUNK):
                received += len(chunk)
                if received > limit:
                    raise DownloadFailed(f"{what}: the download is larger than {limit / 2**30:.2g} GB and was stopped.")
                write(chunk)
                for checksum in checksums:
                    checksum.update(chunk)
                report(received, max(total, received))
    except (URLError, HTTPException, OSError, ValueError) as error:
        advice = f"Check the internet connection of this machine and try again. {otherwise}".strip()
        raise DownloadFailed(f"{what} could not be downloaded from {address} ({error}). {advice}") from None
    if received < total:
        raise DownloadFailed(f"{what}: the download was cut off. Please try again. {otherwise}".strip())
    return [checksum.hexdigest() for checksum in checksums]
