"""Fetch a network from an address, within limits, and from the local network only if that is allowed.

An address is either a TF Hub handle, which answers `?tf-hub-format=compressed` with a tar.gz and is resolved by
TensorFlow Hub's own resolver, or it names a file (.tflite, .tar.gz, .zip, .pb), which is downloaded unchanged.
"""

import contextlib
import http.client
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from ml.errors import ImportRefused
from ml.model_import.deadline import Connect, Deadline
from ml.model_import.public_addresses import is_public
from ml.model_import.sources import MAX_MODEL_BYTES

TIMEOUT = 30  # seconds without a byte
CHUNK = 2**18
FILES = (".tflite", ".tar.gz", ".tgz", ".zip", ".pb", ".tar")
HUB, FILE = "hub", "file"


def kind_of(address: str) -> str:
    """Return HUB or FILE. Raise `ImportRefused` if this is not an address on the web."""
    try:
        parts = urlsplit(address)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and len(address) <= 2000
        parts.port  # noqa: B018 - raises ValueError for a port that is no number
        if fits and "@" in parts.netloc:  # the address is shown to everyone who may see the network
            raise ImportRefused("An address that contains a user name or password cannot be used.")
    except ValueError:
        fits = False
    if not fits or any(character.isspace() or not character.isprintable() for character in address):
        raise ImportRefused("Give the address of a network on the web: https://…")
    return FILE if parts.path.lower().endswith(FILES) else HUB


def resolve(address: str, out: Path, *, allow_private: bool) -> None:
    """Fetch what the address names into the folder `out`. Raise `ImportRefused` if that does not succeed."""
    try:
        if kind_of(address) == HUB:
            _resolve_hub(address, allow_private)
        else:
            _download(address, out / "file", allow_private)
    except urllib.error.HTTPError as error:
        raise ImportRefused(f"{host_of(address)} answered with status {error.code} ({error.reason}).") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(getattr(error, "reason", error))[:150]
        raise ImportRefused(f"{host_of(address)} returned nothing that can be used ({reason}).") from None


def host_of(address: str) -> str:
    """Return the host for messages."""
    return urlsplit(address).hostname or "The address"


def _resolve_hub(address: str, allow_private: bool) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of packages that tensorflow_hub imports
        from tensorflow_hub import compressed_module_resolver

    class Resolver(compressed_module_resolver.HttpCompressedFileResolver):  # type: ignore[misc]
        def _call_urlopen(self, request: Any) -> Any:
            return _Bounded(open_guarded(request, allow_private=allow_private))

    found = Path(Resolver()(address))
    if not (found / "saved_model.pb").is_file():
        raise ImportRefused(f"{host_of(address)} returned an archive that contains no SavedModel.")


def _download(address: str, target: Path, allow_private: bool) -> None:
    with open_guarded(address, allow_private=allow_private) as response, target.open("wb") as out:
        bounded = _Bounded(response)
        while chunk := bounded.read(CHUNK):
            out.write(chunk)


class _Bounded:
    """A response from which only so much can be read as a network may have."""

    def __init__(self, response: IO[bytes]) -> None:
        self._response, self._left = response, MAX_MODEL_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self._response.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ImportRefused(f"The download is larger than {MAX_MODEL_BYTES >> 30} GB and was stopped.")
        return data

    def close(self) -> None:
        self._response.close()


def open_guarded(
    address: Any,
    *,
    allow_private: bool,
    redirects: bool = True,
    timeout: float = TIMEOUT,
    deadline: Deadline | None = None,
) -> Any:
    """Open addresses that strangers chose, like `urlopen`; redirects are checked as well, or are errors.

    `timeout` is for each wait; with a deadline, what has not answered by then is cut off, however it drips.
    """
    connect: Connect = socket.create_connection if allow_private else connect_guarded
    if deadline is not None:
        connect = deadline.watching(connect)
    opener = urllib.request.OpenerDirector()  # without handlers for file: and ftp:, to which a redirect could lead
    if allow_private:  # otherwise without a proxy, which would look the name up itself
        opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(_HTTP(connect))
    opener.add_handler(_HTTPS(connect))
    for handler in _OF_THE_WEB:
        if redirects or handler is not urllib.request.HTTPRedirectHandler:
            opener.add_handler(handler())
    if isinstance(address, str):
        address = urllib.request.Request(address)  # noqa: S310 - checked by kind_of
    address.add_header("User-Agent", "PoetsWeb")
    return opener.open(address, timeout=timeout)


class _NothingElse(urllib.request.BaseHandler):
    def unknown_open(self, req: Any) -> Any:
        raise ImportRefused("Only http and https addresses can be fetched.")


_OF_THE_WEB = (
    _NothingElse,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPErrorProcessor,
)


def connect_guarded(address: tuple[str, int], timeout: float = TIMEOUT, *rest: Any, **options: Any) -> socket.socket:
    """Connect like `socket.create_connection`, but only to addresses of the public internet.

    The connection goes to the very addresses that were checked, one after the other until one answers, because a second
    look-up of the name may give others. All of them share the time. Raise `ImportRefused` if any of them is private,
    and `OSError` if none answers.
    """
    host, port = address
    found = list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    if not all(is_public(place) for place in found):
        raise ImportRefused(
            f"{host} is an address inside a private network, which is not fetched from. "
            "The administrator can allow it with FETCH_PRIVATE_ADDRESSES=true."
        )
    share = timeout / len(found)
    for place in found[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((place, port), share, *rest, **options)
    return socket.create_connection((found[-1], port), share, *rest, **options)


class _HTTPConnection(http.client.HTTPConnection):
    def __init__(self, *arguments: Any, connect: Connect, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._create_connection = connect

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self.timeout)  # the connection may have had but a share of it


class _HTTPSConnection(http.client.HTTPSConnection):
    def __init__(self, *arguments: Any, connect: Connect, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._create_connection = connect

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self.timeout)  # the connection may have had but a share of it


class _HTTP(urllib.request.HTTPHandler):
    def __init__(self, connect: Connect) -> None:
        super().__init__()
        self._connect = connect

    def http_open(self, req: Any) -> Any:
        return self.do_open(_HTTPConnection, req, connect=self._connect)  # type: ignore[arg-type]


class _HTTPS(urllib.request.HTTPSHandler):
    def __init__(self, connect: Connect) -> None:
        super().__init__()
        self._connect = connect

    def https_open(self, req: Any) -> Any:
        return self.do_open(_HTTPSConnection, req, connect=self._connect)  # type: ignore[arg-type]
