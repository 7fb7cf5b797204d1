"""Test that weights are downloaded once and checked, and that errors say what else one can do."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ml.backbones.weights import PublishedWeights, WeightsMissing
from ml.download import DownloadFailed
from ml.settings import MLSettings

DATA = b"weights" * 100_000


class Handler(SimpleHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *args: Any) -> None:
        """Write nothing to the log."""


@pytest.fixture
def ml_settings(tmp_path: Path) -> Iterator[MLSettings]:
    """Return the settings of a machine without weights, and of a publisher that has some."""
    folder = tmp_path / "published"
    (folder / "some").mkdir(parents=True)
    (folder / "some" / "w.h5").write_bytes(DATA)
    Handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield MLSettings(tmp_path / "weights", tmp_path / "backbones", f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def weights(checksum: str | None = None, path: str = "some/w.h5") -> PublishedWeights:
    return PublishedWeights(path, checksum)


@pytest.mark.parametrize("checksum", [None, hashlib.md5(DATA).hexdigest(), hashlib.sha256(DATA).hexdigest()])
def test_fetched_with_progress(checksum: str | None, ml_settings: MLSettings) -> None:
    said: list[tuple[int, int]] = []
    wanted = weights(checksum)
    with pytest.raises(WeightsMissing):
        wanted.find(ml_settings)
    wanted.ensure(ml_settings, lambda received, total: said.append((received, total)))
    assert wanted.find(ml_settings).read_bytes() == DATA
    assert said[-1] == (len(DATA), len(DATA))
    assert len(said) > 1


def test_damaged_ones_are_not_kept(tmp_path: Path, ml_settings: MLSettings) -> None:
    with pytest.raises(DownloadFailed, match="checksum differs") as error:
        weights("0" * 32).ensure(ml_settings, lambda received, total: None)
    assert "copy the file into the folder “weights” in the data folder yourself" in str(error.value)
    assert [path for path in (tmp_path / "weights").iterdir() if not path.name.endswith(".lock")] == []


def test_file_put_there_by_hand_is_left_alone(ml_settings: MLSettings) -> None:
    wanted = weights("0" * 32)
    wanted.target(ml_settings).parent.mkdir(parents=True)
    wanted.target(ml_settings).write_bytes(b"by hand")
    wanted.ensure(ml_settings, lambda received, total: None)
    assert wanted.find(ml_settings).read_bytes() == b"by hand"
    assert Handler.asked == []


def test_part_that_a_killed_process_left_is_taken_over(ml_settings: MLSettings) -> None:
    wanted = weights()
    wanted.target(ml_settings).parent.mkdir(parents=True)
    left = wanted.target(ml_settings).with_name(f".{wanted.target(ml_settings).name}.part")
    left.write_bytes(b"x" * (len(DATA) + 1))
    wanted.ensure(ml_settings, lambda received, total: None)
    assert wanted.find(ml_settings).read_bytes() == DATA
    assert not left.exists()


def test_many_at_once_fetch_once(ml_settings: MLSettings) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: weights().ensure(ml_settings, lambda received, total: None), range(8)))
    assert Handler.asked == ["/some/w.h5"]


def test_missing_there(ml_settings: MLSettings) -> None:
    with pytest.raises(DownloadFailed, match=r"could not be downloaded from http.*404.*try again.*yourself"):
        weights(path="some/other.h5").ensure(ml_settings, lambda received, total: None)


def test_no_network(ml_settings: MLSettings) -> None:
    ml_settings = replace(ml_settings, weights_url="http://127.0.0.1:1")
    with pytest.raises(DownloadFailed, match="Check the internet connection of this machine and try again"):
        weights().ensure(ml_settings, lambda received, total: None)


def test_more_than_anybody_publishes_is_stopped(monkeypatch: pytest.MonkeyPatch, ml_settings: MLSettings) -> None:
    monkeypatch.setattr("ml.backbones.weights.LIMIT", 1000)
    with pytest.raises(DownloadFailed, match="was stopped"):
        weights().ensure(ml_settings, lambda received, total: None)
    assert not weights().target(ml_settings).exists()
