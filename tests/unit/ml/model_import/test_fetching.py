"""Test that addresses chosen by strangers are fetched only from the public internet, and within limits."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ml.errors import ImportRefused
from ml.model_import import fetching
from ml.model_import.fetching import connect_guarded, kind_of, resolve
from tests.http_server import QuietHandler, serving

PRIVATE = [
    "127.0.0.1",
    "10.0.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "0.0.0.0",
    "::1",
    "fe80::1",
    "fd00::1",
    "localhost",
    "::ffff:127.0.0.1",
    "100.64.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "::127.0.0.1",
    "fec0::1",
    "224.0.0.1",
    "ff0e::1",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused_before_anything_is_sent(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("it connected"))
    with pytest.raises(ImportRefused, match="private network"):
        connect_guarded((host, 80), 1)


def test_it_connects_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the checked address, because looking the name up again may give another answer."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("93.184.215.14", 80))])
    connected: list[tuple[str, int]] = []
    monkeypatch.setattr(socket, "create_connection", lambda address, *_, **__: connected.append(address))
    connect_guarded(("example.org", 80), 1)
    assert connected == [("93.184.215.14", 80)]


def test_name_with_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(0, 0, 0, "", ("93.184.215.14", 80)), (0, 0, 0, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(ImportRefused, match="private network"):
        connect_guarded(("example.org", 80), 1)


def test_private_address_is_a_sentence_that_says_how_to_allow_it(hub_address: str, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="FETCH_PRIVATE_ADDRESSES=true"):
        resolve(f"{hub_address}/vector.tflite", tmp_path, allow_private=False)
    resolve(f"{hub_address}/vector.tflite", tmp_path, allow_private=True)
    assert (tmp_path / "file").read_bytes()[4:8] == b"TFL3"


def test_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on to IPv4 on a machine that has no IPv6, and use no address twice."""
    named = ["2606:4700::1", "2606:4700::1", "93.184.215.14"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (place, 80)) for place in named])
    tried: list[str] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> str:
        tried.append(address[0])
        if ":" in address[0]:
            raise OSError("Network is unreachable")
        return "connected"

    monkeypatch.setattr(socket, "create_connection", connect)
    assert connect_guarded(("example.org", 80), 1) == "connected"
    assert tried == ["2606:4700::1", "93.184.215.14"]


def test_redirect_to_a_private_address_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = iter([True, False])  # of the first address, and of the one that it redirects to
    monkeypatch.setattr(fetching, "is_public", lambda place: next(verdicts))
    asked: list[str] = []
    target = "http://127.0.0.1:{port}/a.tflite"
    with socket.create_server(("127.0.0.1", 0)) as inner, redirecting(target, inner, asked) as address:
        with pytest.raises(ImportRefused, match="private network"):
            resolve(f"{address}/a.tflite", tmp_path, allow_private=False)
        inner.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has come
            inner.accept()
    assert asked == ["/a.tflite"]


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("target", ["ftp://127.0.0.1:{port}/a", "file:///etc/passwd", "data:,x"])
def test_redirect_leads_to_nothing_but_the_web(
    target: str, allowed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "is_public", lambda place: True)
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as inner, redirecting(target, inner, asked) as address:
        with pytest.raises(ImportRefused):
            resolve(f"{address}/a.tflite", tmp_path, allow_private=allowed)
        inner.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has come
            inner.accept()
    assert asked == ["/a.tflite"]


@contextmanager
def redirecting(target: str, inner: socket.socket, asked: list[str]) -> Iterator[str]:
    class Handler(QuietHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", target.format(port=inner.getsockname()[1]))
            self.end_headers()

    with serving(Handler) as address:
        yield address


def test_download_is_stopped_where_it_is_too_large(
    hub_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_MODEL_BYTES", 100)
    with pytest.raises(ImportRefused, match="was stopped"):
        resolve(f"{hub_address}/vector.tflite", tmp_path, allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "file:///etc/passwd",
        "ftp://example.org/a",
        "gs://bucket/a",
        "http://",
        "https://[::1",
        "http://a b/c",
        "http://example.org:port/x",
        "javascript:alert(1)",
        "http://example.org/\r\nHost: x",
        "https://" + "a" * 3000,
    ],
)
def test_what_is_no_address_of_the_web_is_refused(address: str) -> None:
    with pytest.raises(ImportRefused, match="https://"):
        kind_of(address)


def test_address_with_a_password_is_refused() -> None:
    with pytest.raises(ImportRefused, match="password"):
        kind_of("https://somebody:secret@example.org/a.tflite")


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5", fetching.HUB),
        ("https://example.org/a.tflite?download=1", fetching.FILE),
        ("https://example.org/a.tar.gz", fetching.FILE),
    ],
)
def test_hub_handles_and_files_are_told_apart(address: str, kind: str) -> None:
    assert kind_of(address) == kind
