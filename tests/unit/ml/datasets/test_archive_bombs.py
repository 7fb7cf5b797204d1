"""Test archives that are damaged, or made to break the program that reads them."""

import gzip
import random
import struct
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.datasets.archives import ArchiveEntry, ArchiveLimits, ArchiveRejected, walk_archive, walk_folder
from tests.archive_files import Make, make_tar, make_tgz, make_zip, walk

DAMAGED = "It is damaged in the archive and cannot be read."
NOISE = random.Random(0)
FILES = {f"daisy/{number:02}.jpg": NOISE.randbytes(3000) for number in range(20)}


def rejection(path: Path, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(ArchiveRejected) as caught:
        walk_archive(path, limits or ArchiveLimits())
    return str(caught.value)


def good(entries: list[ArchiveEntry]) -> dict[str, bytes]:
    return {entry.name: entry.data for entry in entries if entry.data is not None}


# Not an archive, or one that cannot be opened at all


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "The file is empty."),
        (b"hello", "This is not a zip or tar archive, or it is damaged."),
        (bytes(range(256)) * 9, "This is not a zip or tar archive, or it is damaged."),
        (gzip.compress(b"only a text", mtime=0), "This is not a zip or tar archive, or it is damaged."),
        (b"Rar!\x1a\x07\x00", "RAR and 7z archives cannot be read. Make a zip."),
        (b"7z\xbc\xaf\x27\x1c", "RAR and 7z archives cannot be read. Make a zip."),
        (b"PK\x03\x04" + bytes(200), "The zip archive is cut off: its table of contents"),
        (b"PK\x05\x06" + b"\xff" * 18, "There are more than 200,000 files in it."),
    ],
)
def test_what_is_no_archive_is_rejected(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "pictures.zip"
    path.write_bytes(data)
    assert rejection(path).startswith(words)


def test_kind_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    path = make_tgz(tmp_path, {"daisy/1.jpg": b"1"}).rename(tmp_path / "pictures.zip")
    assert walk(path)[0].class_name == "daisy"


def test_zip_behind_a_program_is_read(tmp_path: Path) -> None:
    path = make_zip(tmp_path, FILES)
    path.write_bytes(b"#!program\n" * 100 + path.read_bytes())
    assert good(walk(path)) == FILES


def test_cut_off_zip_is_rejected(tmp_path: Path) -> None:
    path = make_zip(tmp_path, FILES)
    path.write_bytes(path.read_bytes()[:-3000])
    assert rejection(path).startswith("The zip archive is cut off")


def test_zip_with_a_broken_table_is_rejected(tmp_path: Path) -> None:
    path = make_zip(tmp_path, FILES)
    path.write_bytes(path.read_bytes().replace(b"PK\x01\x02", b"XX\x01\x02"))
    assert rejection(path) == "The zip archive is damaged: its table of contents cannot be read."


def set_flags(path: Path, flags: int, names: list[str]) -> None:
    """Set the general purpose flags of entries in the table of contents."""
    data = bytearray(path.read_bytes())
    for name in names:
        at = data.rindex(name.encode()) - 46
        struct.pack_into("<H", data, at + 8, flags)
    path.write_bytes(data)


def test_encrypted_entries_are_refused_one_by_one(tmp_path: Path) -> None:
    path = make_zip(tmp_path, {"daisy/1.jpg": b"1", "daisy/2.jpg": b"2"})
    set_flags(path, 1, ["daisy/1.jpg"])
    first, second = walk(path)
    assert first.reason == "It is encrypted. Make an archive without a password."
    assert second.data == b"2"


def test_wholly_encrypted_zip_is_rejected(tmp_path: Path) -> None:
    path = make_zip(tmp_path, FILES)
    set_flags(path, 1, list(FILES))
    assert rejection(path) == "The archive is encrypted. Make one without a password."


def test_zip_name_that_is_not_the_utf8_it_claims_is_rejected(tmp_path: Path) -> None:
    path = make_zip(tmp_path, {"d\u00e9/1.jpg": b"1"})
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xff\xff"))
    assert rejection(path)


# Limits of the whole


@pytest.mark.parametrize("make", [make_zip, make_tar, make_tgz])
def test_too_many_entries_are_rejected(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path, FILES)
    assert rejection(path, ArchiveLimits(max_entries=19)).startswith("There are more than 19 files in it.")
    assert len(walk(path, ArchiveLimits(max_entries=20))) == 20


@pytest.mark.parametrize("make", [make_zip, make_tar, make_tgz])
def test_too_many_bytes_are_rejected(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path, FILES)
    limits = ArchiveLimits(max_total_bytes=59_999)
    assert rejection(path, limits).startswith("Unpacked, it is larger than 59,999 bytes.")
    assert good(walk(path, ArchiveLimits(max_total_bytes=60_000))) == FILES


def test_folder_limits(tmp_path: Path) -> None:
    (tmp_path / "daisy").mkdir()
    for number in range(5):
        (tmp_path / "daisy" / f"{number}.jpg").write_bytes(bytes(100))
    with pytest.raises(ArchiveRejected, match="more than 5 files"):
        walk_folder(tmp_path, ArchiveLimits(max_entries=5))  # the folder counts as well
    with pytest.raises(ArchiveRejected, match="larger than 499 bytes"):
        walk_folder(tmp_path, ArchiveLimits(max_total_bytes=499))


def test_long_table_of_contents_is_rejected_before_it_is_read(tmp_path: Path) -> None:
    """Reject a table that declares one entry and contains many."""
    path = make_zip(tmp_path, {f"d/{number}": b"" for number in range(3000)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<HH", data, len(data) - 14, 1, 1)
    path.write_bytes(data)
    assert rejection(path, ArchiveLimits(max_entries=1000)).startswith("There are more than 1,000")


# Damage in single entries


def test_bad_checksum_is_refused_and_the_others_taken(tmp_path: Path) -> None:
    path = make_zip(tmp_path, FILES)
    data = bytearray(path.read_bytes())
    data[data.index(FILES["daisy/03.jpg"][:50]) + 1000] ^= 1
    path.write_bytes(data)
    entries = walk(path)
    assert [entry.name for entry in entries if entry.reason == DAMAGED] == ["daisy/03.jpg"]
    assert len(good(entries)) == 19


def test_zip_that_lost_its_beginning_loses_one_entry(tmp_path: Path) -> None:
    path = make_zip(tmp_path, {"a/1.jpg": b"first", "a/2.jpg": b"second", "b/3.jpg": b"third"})
    path.write_bytes(path.read_bytes()[10:])  # the first entry now begins before the file does
    assert [entry.data for entry in walk(path)] == [None, b"second", b"third"]


def test_entry_that_begins_past_the_end_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path, {"a/1.jpg": b"first", "a/2.jpg": b"second"})
    data = bytearray(path.read_bytes())
    offset_at = data.index(b"PK\x01\x02") + 42
    data[offset_at : offset_at + 4] = b"\xf0\xff\xff\x7f"
    path.write_bytes(data)
    assert [entry.data for entry in walk(path)] == [None, b"second"]


def test_entry_that_claims_far_more_packed_bytes_than_it_unpacks_to_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path, {"a/1.jpg": b"first", "b/2.jpg": b"second" * 1000})
    data = bytearray(path.read_bytes())
    table = data.index(b"PK\x01\x02")
    data[table + 20 : table + 24] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)
    assert walk(path)[0].data is None


@pytest.mark.parametrize("claimed", [1, 2999, 3001, 100_000])
def test_lie_about_the_size_is_refused(claimed: int, tmp_path: Path) -> None:
    path = make_zip(tmp_path, FILES)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"daisy/05.jpg") - 46 + 24, claimed)
    path.write_bytes(data)
    entries = walk(path)
    assert [entry.name for entry in entries if entry.reason == DAMAGED] == ["daisy/05.jpg"]
    assert len(good(entries)) == 19


def test_bomb_that_claims_to_be_small_is_cut_off(tmp_path: Path) -> None:
    path = make_zip(tmp_path, {"daisy/1.jpg": bytes(100 * 2**20), "daisy/2.jpg": b"good"})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"daisy/1.jpg") - 46 + 24, 1000)
    path.write_bytes(data)
    bomb, fine = walk(path)
    assert (bomb.reason, fine.data) == (DAMAGED, b"good")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_cannot_be_bounded_are_refused(method: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("daisy/1.jpg", bytes(10**6))
    assert walk(tmp_path / "a.zip")[0].reason == "It is packed in an unusual way. Make an ordinary zip."


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    """Refuse all but one of a thousand names for the same bytes, which are unpacked once."""
    kernel = zlib.compressobj(wbits=-15)
    packed = kernel.compress(bytes(10**6)) + kernel.flush()
    crc = zlib.crc32(bytes(10**6))
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 33, crc, len(packed), 10**6, 5, 0) + b"d/000"
    table = b"".join(
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, crc, len(packed), 10**6, 5, 0, 0, 0, 0, 0, 0)
        + b"d/%03d" % number
        for number in range(1000)
    )
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1000, 1000, len(table), len(local + packed), 0)
    path = tmp_path / "a.zip"
    path.write_bytes(local + packed + table + end)
    reasons = [entry.reason for entry in walk(path)]
    assert reasons.count("It shares its bytes with another file of the archive.") == 999


# Whatever the bytes


@given(
    st.sampled_from([make_zip, make_tar, make_tgz]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=12),
    st.integers(0, 10**6),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mutated_archives_are_rejected_or_walked(
    tmp_path: Path, make: Make, changes: list[tuple[int, int]], cut: int
) -> None:
    path = make(tmp_path, {"top/daisy/1.jpg": b"one" * 50, "top/rose/2.jpg": b"two"})
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data[: cut % len(data)] if cut % 3 == 0 else data)
    try:
        walk(path)
    except ArchiveRejected:
        return


@given(st.binary(max_size=600))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arbitrary_bytes_are_rejected_or_walked(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    try:
        walk(path)
    except ArchiveRejected:
        return


def test_two_thousand_pictures_are_walked_quickly(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(2000):
            archive.writestr(f"d{number % 5}/{number}.jpg", NOISE.randbytes(10_000))
    started = time.perf_counter()
    assert len(good(walk(tmp_path / "a.zip"))) == 2000
    assert time.perf_counter() - started < 20  # 0.1 s; one that looked at all for each would take minutes


def test_nothing_is_written_beside_the_archive(tmp_path: Path) -> None:
    path = make_tgz(tmp_path, FILES)
    walk(path)
    assert list(tmp_path.iterdir()) == [path]
