"""Test tars that are cut off, or made to break the program that reads them."""

import gzip
import random
import tarfile
from pathlib import Path

import pytest

from ml.datasets.archives import ArchiveEntry, ArchiveLimits, ArchiveRejected, walk_archive
from tests.archive_files import make_tar, walk

DAMAGED = "It is damaged in the archive and cannot be read."
REST = "The archive is cut off or damaged from here on; the rest could not be read."
NOISE = random.Random(0)
FILES = {f"daisy/{number:02}.jpg": NOISE.randbytes(3000) for number in range(20)}


def rejection(path: Path, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(ArchiveRejected) as caught:
        walk_archive(path, limits or ArchiveLimits())
    return str(caught.value)


def good(entries: list[ArchiveEntry]) -> dict[str, bytes]:
    return {entry.name: entry.data for entry in entries if entry.data is not None}


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("percent", [20, 40, 60, 80])
def test_cut_off_tar_gives_what_came_before(kind: str, percent: int, tmp_path: Path) -> None:
    path = make_tar(tmp_path, FILES, f"w:{kind}")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * percent // 100])
    if kind == "bz2":  # one block of 900 kB: all or nothing
        assert rejection(path)
        return
    *before, last = walk(path)
    assert last == ArchiveEntry("(the rest of the archive)", None, None, REST)
    assert good(before).items() <= FILES.items()
    assert len(good(before)) >= 20 * percent // 100 - 3


@pytest.mark.parametrize("blocks", [7, 14])
def test_tar_cut_off_between_two_files_is_noticed(blocks: int, tmp_path: Path) -> None:
    path = make_tar(tmp_path, FILES)
    path.write_bytes(path.read_bytes()[: blocks * 512])
    *before, last = walk(path)
    assert (len(good(before)), last.reason) == (blocks // 7, REST)


def test_rubbish_in_the_middle_of_a_tar_is_noticed(tmp_path: Path) -> None:
    path = make_tar(tmp_path, FILES)
    data = bytearray(path.read_bytes())
    data[7 * 512 : 8 * 512] = b"\xaa" * 512
    path.write_bytes(data)
    assert walk(path)[-1].reason == REST


def tar_header(name: str, size: int, kind: bytes) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_endless_tar_header_is_not_taken_in(kind: bytes, tmp_path: Path) -> None:
    path = make_tar(tmp_path, {"daisy/1.jpg": b"1"})
    first = path.read_bytes()[:1024]
    path.write_bytes(gzip.compress(first + tar_header("x", 2**30, kind) + bytes(2**25)))
    assert [entry.reason for entry in walk(path)] == [None, REST]


def test_chain_of_tar_headers_is_not_followed(tmp_path: Path) -> None:
    path = make_tar(tmp_path, {"daisy/1.jpg": b"1"})
    link = tar_header("x", 512, tarfile.GNUTYPE_LONGNAME) + b"x" * 511 + b"\x00"
    path.write_bytes(path.read_bytes()[:1024] + link * 5000)
    assert [entry.reason for entry in walk(path)] == [None, REST]


def test_negative_size_in_a_tar_does_not_loop(tmp_path: Path) -> None:
    path = make_tar(tmp_path, {"daisy/1.jpg": b"1"})
    header = bytearray(tar_header("daisy/2.jpg", 0, tarfile.REGTYPE))
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"  # -1024 in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\x00 " % sum(header)
    path.write_bytes(path.read_bytes()[:1024] + bytes(header) + bytes(1024))
    assert [entry.reason for entry in walk(path)] == [None, DAMAGED, REST]


def test_gzip_bomb_behind_a_tar_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    header = tar_header("daisy/1.jpg", 2**33, tarfile.REGTYPE)
    path.write_bytes(gzip.compress(header + bytes(2**25)))
    words = rejection(path, ArchiveLimits(max_total_bytes=2**20))
    assert words == "Unpacked, it is larger than 1 MB. Upload it in parts."


def test_members_may_be_read_from_a_plain_old_tar(tmp_path: Path) -> None:
    """Read a tar without the ustar signature, which was introduced in 1988."""
    path = make_tar(tmp_path, {"daisy/1.jpg": b"1"})
    header = bytearray(path.read_bytes()[:512])
    header[257:265] = bytes(8)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\x00 " % sum(header)
    path.write_bytes(bytes(header) + path.read_bytes()[512:])
    assert good(walk(path)) == {"daisy/1.jpg": b"1"}
