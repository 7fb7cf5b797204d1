"""Large pictures are decoded one at a time on the whole machine, and none may take a gigabyte."""

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ml.images import budget
from ml.images.budget import FREE_BYTES, NoBudget, TooBusy, decoding_turn, estimate_bytes
from ml.images.decoding import ImageLimits, ImageRejected, load_picture, make_thumbnail, verify_image
from ml.images.formats import FORMATS


@pytest.fixture(autouse=True)
def _own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def encoded(format: str, size: tuple[int, int], **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("L" if format != "WEBP" else "RGB", size).save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "read", [verify_image, lambda data: load_picture(data, 8), lambda data: make_thumbnail(data, 8)]
)
def test_format_that_takes_much_memory_has_a_lower_limit(read, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(budget, "MAX_BYTES", 16 * 1000 * 1000)  # a million pixels of WebP
    read(encoded("WEBP", (1000, 1000), lossless=True))
    with pytest.raises(ImageRejected, match="in the format WebP at most 1 million"):
        read(encoded("WEBP", (2000, 1000), lossless=True))
    read(encoded("PNG", (2000, 1000)))


def test_real_limits() -> None:
    assert budget.max_pixels("JPEG") >= 100_000_000
    assert budget.max_pixels("PNG") >= 100_000_000
    assert 60_000_000 < budget.max_pixels("WEBP") < 70_000_000
    assert budget.max_pixels("never heard of") == min(map(budget.max_pixels, FORMATS))


def estimate(data: bytes, draft: tuple[int, int] | None = None) -> int:
    picture = Image.open(io.BytesIO(data))
    stored = picture.size
    if draft:
        picture.draft("L", draft)
    return estimate_bytes(picture, stored)


def test_photo_costs_what_is_decoded_of_it() -> None:
    size = (6000, 4000)
    whole, drafted = estimate(encoded("JPEG", size)), estimate(encoded("JPEG", size), (750, 500))
    assert (whole, drafted) == (4 * 24_000_000, 4 * 24_000_000 // 64)
    assert estimate(encoded("JPEG", size, progressive=True), (750, 500)) == drafted + 2 * 24_000_000


def test_large_ones_wait_for_each_other_in_threads() -> None:
    inside, most = [0], [0]

    def work() -> None:
        with decoding_turn(FREE_BYTES + 1):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


HOLD = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from ml.images.budget import FREE_BYTES, decoding_turn
with decoding_turn(FREE_BYTES + 1):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_large_ones_wait_for_other_processes_and_for_no_dead_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TooBusy), decoding_turn(FREE_BYTES + 1, wait_seconds=0.1):
            pass
        with decoding_turn(FREE_BYTES, wait_seconds=0):
            pass  # small ones go on
        other.kill()
    with decoding_turn(FREE_BYTES + 1, wait_seconds=5):
        pass


def test_request_that_has_to_wait_too_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "FREE_BYTES", 0)
    limits = ImageLimits(wait_seconds=0.1)
    with decoding_turn(1), pytest.raises(TooBusy, match="try again"):
        verify_image(encoded("PNG", (8, 8)), limits)


def test_lock_that_cannot_be_opened_makes_no_picture_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "FREE_BYTES", 0)
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(NoBudget, match="later"):
        verify_image(encoded("PNG", (10, 10)))


def link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


def belongs_to_another(path: Path) -> None:
    path.touch()
    os.chown(path, 12345, -1)


@pytest.mark.parametrize(
    "take",
    [
        link,
        Path.mkdir,
        pytest.param(
            belongs_to_another, marks=pytest.mark.skipif(os.getuid() != 0, reason="only root gives away files")
        ),
    ],
)
def test_lock_whose_name_somebody_took_gets_another(take: Callable[[Path], None]) -> None:
    first = Path(budget.lock_path())
    take(first)
    with decoding_turn(FREE_BYTES + 1):
        second = Path(budget.lock_path())
        assert second.is_file()
        with pytest.raises(TooBusy), decoding_turn(FREE_BYTES + 1, wait_seconds=0):
            pass
    assert second != first
    assert not first.with_name("elsewhere").exists()
