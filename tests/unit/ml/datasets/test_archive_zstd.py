"""Tars packed with Zstandard are read within the bounds of all tars, or the sentence names the extra."""

import random
from pathlib import Path

import pytest

from ml.datasets import archives
from ml.datasets.archives import ArchiveLimits, ArchiveRejected, walk_archive
from tests.archive_files import make_tar, make_zip, walk

NOISE = random.Random(0)
FILES = {f"daisy/{number:02}.jpg": NOISE.randbytes(3000) for number in range(20)}
HEAD = b"\x28\xb5\x2f\xfd"


def pack(path: Path, **options: int) -> Path:
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed (make run EXTRAS=zstd)")
    parameters = zstandard.ZstdCompressionParameters.from_level(3, **options)
    path.write_bytes(zstandard.ZstdCompressor(compression_params=parameters).compress(path.read_bytes()))
    return path


def rejection(path: Path, limits: ArchiveLimits = ArchiveLimits()) -> str:  # noqa: B008 - it is frozen
    with pytest.raises(ArchiveRejected) as caught:
        walk_archive(path, limits)
    return str(caught.value)


def test_packed_tar_is_read(tmp_path: Path) -> None:
    entries = walk(pack(make_tar(tmp_path, FILES)))
    assert {entry.name: entry.data for entry in entries} == FILES


def test_several_frames_are_one_archive(tmp_path: Path) -> None:
    path = make_tar(tmp_path, FILES)
    whole = path.read_bytes()
    parts = []
    for part in (whole[:7000], whole[7000:]):
        path.write_bytes(part)
        parts.append(pack(path).read_bytes())
    path.write_bytes(b"".join(parts))
    assert {entry.name: entry.data for entry in walk(path)} == FILES


@pytest.mark.parametrize("percent", [20, 40, 60, 80])
def test_cut_off_archive_gives_what_came_before(percent: int, tmp_path: Path) -> None:
    path = pack(make_tar(tmp_path, {f"a/{n:03}.jpg": NOISE.randbytes(30_000) for n in range(40)}))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * percent // 100])
    *before, last = walk(path)
    assert last.reason
    assert "cut off or damaged" in last.reason
    assert sum(entry.data is not None for entry in before) >= 40 * percent // 100 - 9


def test_random_bytes_are_no_archive(tmp_path: Path) -> None:
    pytest.importorskip("zstandard", reason="zstandard is not installed (make run EXTRAS=zstd)")
    path = tmp_path / "a.tar.zst"
    for seed in range(20):
        path.write_bytes(HEAD + random.Random(seed).randbytes(3000))
        assert rejection(path) == "This is not a zip or tar archive, or it is damaged."


def test_bomb_stops_at_the_bounds(tmp_path: Path) -> None:
    path = pack(make_tar(tmp_path, {f"a/{n}.jpg": bytes(2**20) for n in range(30)}))
    assert path.stat().st_size < 10_000
    assert "larger than 10 MB" in rejection(path, ArchiveLimits(max_total_bytes=10 * 2**20))


def test_window_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = make_tar(tmp_path, {"a/1.jpg": NOISE.randbytes(2**20)})
    assert walk(pack(path))[0].data
    path.write_bytes(HEAD + b"\x00\xf8" + path.read_bytes()[6:])  # a window of 2 TB
    assert rejection(path)


def test_archive_inside_an_archive_is_refused(tmp_path: Path) -> None:
    (entry,) = walk(make_zip(tmp_path, {"a/1.jpg": HEAD + bytes(100)}))
    assert entry.reason == "It is itself an archive; archives inside archives are not read."


def test_without_the_extra_the_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "CAN_READ_ZSTD", False)
    (tmp_path / "a.tar.zst").write_bytes(HEAD + bytes(600))
    assert "EXTRAS=zstd" in rejection(tmp_path / "a.tar.zst")
