"""A download reads a little ahead of who takes it, in order, and waits for a storage that goes away meanwhile."""

import csv
import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client

from classifier import outages
from classifier.models import Image, Project
from classifier.selectors import list_samples
from classifier.services import reading_ahead, takeouts
from classifier.services.takeouts import stream_zip


@pytest.mark.parametrize(("together", "size", "in_part"), [(2, 2**20, 2), (8, 1, 1)])
def test_first_bytes_come_before_all_is_read(
    filled: Project, monkeypatch: pytest.MonkeyPatch, together: int, size: int, in_part: int
) -> None:
    asked: list[str] = []
    read_file = reading_ahead.read_file
    monkeypatch.setattr(reading_ahead, "read_file", lambda path: asked.append(path) or read_file(path))
    monkeypatch.setattr(reading_ahead, "TOGETHER", together)
    monkeypatch.setattr(reading_ahead, "TOGETHER_BYTES", size)
    most = 1 + in_part * reading_ahead.AHEAD
    pieces = stream_zip(list_samples(filled))
    assert next(pieces).startswith(b"PK\x03\x04")
    assert len(asked) <= most < filled.samples.count()
    pieces.close()  # type: ignore[attr-defined] # as when the client goes
    assert len(asked) <= most


def test_reading_ends_with_the_picture_in_hand_when_the_client_goes(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    in_hand, is_stopping = threading.Event(), threading.Event()
    read_file, shutdown = reading_ahead.read_file, ThreadPoolExecutor.shutdown

    def slow(path: str) -> bytes:
        asked.append(path)
        if len(asked) == 2:
            in_hand.set()
            is_stopping.wait(10)
        return read_file(path)

    def stop(pool: ThreadPoolExecutor, **how: bool) -> None:
        is_stopping.set()
        shutdown(pool, **how)

    monkeypatch.setattr(reading_ahead, "AHEAD", 1)
    monkeypatch.setattr(reading_ahead, "read_file", slow)
    pieces = stream_zip(list_samples(filled))
    next(pieces)
    assert in_hand.wait(10)
    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", stop)
    pieces.close()  # type: ignore[attr-defined]
    assert len(asked) == 2


def test_storage_that_is_away_is_said(filled: Project, as_owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(path: str) -> bytes:
        raise outages.StorageAway("refused")

    monkeypatch.setattr(reading_ahead, "read_file", away)
    as_owner.raise_request_exception = False
    assert as_owner.get(f"/projects/{filled.slug}/download").status_code == 503
    assert not Image.objects.exclude(damaged_at=None).exists()


def test_storage_that_goes_away_meanwhile_is_waited_for(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = iter([False, False, True, True, False])
    read_file = reading_ahead.read_file

    def shaky(path: str) -> bytes:
        if next(fails, False):
            raise outages.StorageAway("refused")
        return read_file(path)

    monkeypatch.setattr(reading_ahead, "PAUSES", (0, 0, 0))
    monkeypatch.setattr(reading_ahead, "AHEAD", 1)
    monkeypatch.setattr(reading_ahead, "read_file", shaky)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(stream_zip(list_samples(filled)))))
    assert len(list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode(), newline="")))) == 18


def test_storage_that_stays_away_cuts_the_download_off(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    read_file, asked = reading_ahead.read_file, iter(range(99))

    def failing(path: str) -> bytes:
        if next(asked) > 2:
            raise outages.StorageAway("refused")
        return read_file(path)

    monkeypatch.setattr(reading_ahead, "PAUSES", (0, 0))
    monkeypatch.setattr(reading_ahead, "AHEAD", 1)
    monkeypatch.setattr(takeouts, "PIECE", 1)
    monkeypatch.setattr(reading_ahead, "read_file", failing)
    with pytest.raises(outages.StorageAway):
        b"".join(stream_zip(list_samples(filled)))
    assert not Image.objects.exclude(damaged_at=None).exists()
