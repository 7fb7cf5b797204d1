"""Fetching the flowers: what goes wrong on the way is a sentence."""

from pathlib import Path
from typing import Any

import pytest

from classifier.services import sample_sets
from classifier.services.sample_sets import download_flowers
from ml.download import DownloadFailed


def fetch(settings: Any, folder: Path, address: str) -> list[tuple[int, int]]:
    settings.FLOWERS_URL = address
    said: list[tuple[int, int]] = []
    download_flowers(folder, lambda received, total: said.append((received, total)))
    return said


def test_progress_ends_at_the_whole(settings: Any, tmp_path: Path, flowers_address: str) -> None:
    said = fetch(settings, tmp_path, f"{flowers_address}/flower_photos.tgz")
    assert said[-1][0] == said[-1][1] > 0


@pytest.mark.parametrize("path", ["/missing.tgz", "/cut.tgz"])
def test_missing_or_cut_off(path: str, settings: Any, tmp_path: Path, flowers_address: str) -> None:
    with pytest.raises(DownloadFailed, match=r"try again"):
        fetch(settings, tmp_path, flowers_address + path)


def test_no_network(settings: Any, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="choose the handwritten digits"):
        fetch(settings, tmp_path, "http://127.0.0.1:1/flower_photos.tgz")


def test_too_large(settings: Any, tmp_path: Path, flowers_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_sets, "DOWNLOAD_LIMIT", 10)
    with pytest.raises(DownloadFailed, match="was stopped"):
        fetch(settings, tmp_path, f"{flowers_address}/flower_photos.tgz")


def test_only_http(settings: Any, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed):
        fetch(settings, tmp_path, "file:///etc/passwd")
