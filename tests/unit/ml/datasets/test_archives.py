"""Test walking zips, tars and folders: which class a file belongs to and what is skipped."""

import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from ml.datasets.archives import ArchiveEntry, looks_like_archive
from ml.datasets.names import CAN_READ_ZSTD, why_no_archive
from tests.archive_files import Make, classes, every_kind, make_folder, make_tar, make_zip, walk

NO_PICTURE = "It is not a picture."


# Classes


@every_kind
def test_class_is_the_folder(make: Make, tmp_path: Path) -> None:
    entries = walk(make(tmp_path, {"daisy/1.jpg": b"one", "rose/2.jpg": b"two"}))
    assert entries == [
        ArchiveEntry("daisy/1.jpg", "daisy", b"one", None),
        ArchiveEntry("rose/2.jpg", "rose", b"two", None),
    ]


@every_kind
def test_files_in_the_top_folder_belong_to_no_class(make: Make, tmp_path: Path) -> None:
    files = {"flowers/LICENSE.txt": b"L", "flowers/daisy/1.jpg": b"1", "flowers/rose/2.jpg": b"2"}
    assert classes(walk(make(tmp_path, files))) == {
        "flowers/LICENSE.txt": NO_PICTURE,
        "flowers/daisy/1.jpg": "daisy",
        "flowers/rose/2.jpg": "rose",
    }


@every_kind
def test_files_at_the_root_belong_to_no_class(make: Make, tmp_path: Path) -> None:
    files = {"1.jpg": b"1", "README": b"R", "flowers/LICENSE.txt": b"L", "flowers/daisy/1.jpg": b"1"}
    assert classes(walk(make(tmp_path, files))) == {
        "1.jpg": None,
        "README": NO_PICTURE,
        "flowers/LICENSE.txt": NO_PICTURE,
        "flowers/daisy/1.jpg": "daisy",
    }


@every_kind
def test_single_class_needs_no_top_folder(make: Make, tmp_path: Path) -> None:
    files = {"daisy/1.jpg": b"1", "daisy/2.jpg": b"2"}
    assert set(classes(walk(make(tmp_path, files))).values()) == {"daisy"}


@every_kind
def test_class_of_deeper_folders_is_the_immediate_one(make: Make, tmp_path: Path) -> None:
    files = {"top/train/daisy/1.jpg": b"1", "top/test/daisy/2.jpg": b"2", "top/test/rose/3.jpg": b"3"}
    assert list(classes(walk(make(tmp_path, files))).values()).count("daisy") == 2


@every_kind
@pytest.mark.parametrize("name", ["Blüten", "雏菊", "it's", "<script>alert(1)<", "🌼", 'a "quoted" one', "a,b;c"])
def test_class_names_may_be_anything(make: Make, name: str, tmp_path: Path) -> None:
    assert walk(make(tmp_path, {f"{name}/1.jpg": b"1"}))[0].class_name == name


@every_kind
def test_class_names_are_normalised_and_trimmed(make: Make, tmp_path: Path) -> None:
    entries = walk(make(tmp_path, {"top/Blu\u0308ten/1.jpg": b"1", "top/ Bl\u00fcten /2.jpg": b"2"}))
    assert {entry.class_name for entry in entries} == {"Bl\u00fcten"}


@every_kind
def test_class_names_must_be_neither_empty_nor_endless(make: Make, tmp_path: Path) -> None:
    found = classes(walk(make(tmp_path, {"  /1.jpg": b"1", f"{'x' * 201}/2.jpg": b"2"})))
    assert found["  /1.jpg"] == "The name of its class is empty."
    assert found[f"{'x' * 201}/2.jpg"] == "The name of its class is longer than 200 characters."


@pytest.mark.parametrize("make", [make_zip, make_folder])
def test_order_is_by_name(make: Make, tmp_path: Path) -> None:
    names = [f"{folder}/{number}.jpg" for folder in "cab" for number in (3, 1, 2)]
    assert [entry.name for entry in walk(make(tmp_path, dict.fromkeys(names, b"1")))] == sorted(names)


@pytest.mark.parametrize("packing", ["", "gz", "bz2", "xz"])
def test_tar_may_be_packed(packing: str, tmp_path: Path) -> None:
    path = make_tar(tmp_path, {"daisy/1.jpg": b"1" * 600_000, "rose/2.jpg": b""}, f"w:{packing}")
    assert [entry.data for entry in walk(path)] == [b"1" * 600_000, b""]


def test_tar_xz_may_consist_of_several_streams(tmp_path: Path) -> None:
    plain = make_tar(tmp_path, {"daisy/1.jpg": b"1" * 5000}).read_bytes()
    path = tmp_path / "pictures.tar.xz"
    path.write_bytes(lzma.compress(plain[:2000]) + bytes(8) + lzma.compress(plain[2000:]))
    assert walk(path)[0].data == b"1" * 5000


def test_zip_names_with_backslashes(tmp_path: Path) -> None:
    entries = walk(make_zip(tmp_path, {"flowers\\daisy\\1.jpg": b"1", "flowers\\rose\\2.jpg": b"2"}))
    assert [entry.class_name for entry in entries] == ["daisy", "rose"]


@pytest.mark.parametrize("encoding", ["cp437", "utf-8"])
def test_zip_names_without_the_utf8_flag(encoding: str, tmp_path: Path) -> None:
    """Read the names as intended: old Windows writes cp437, and macOS writes UTF-8 without declaring it."""
    placeholder = "B" + "x" * len("lüten".encode(encoding))
    path = make_zip(tmp_path, {f"{placeholder}/1.jpg": b"1"})
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), "Blüten".encode(encoding)))
    assert walk(path)[0].class_name == "Blüten"


# Passed over in silence


@every_kind
def test_litter_is_passed_over(make: Make, tmp_path: Path) -> None:
    litter = [
        "daisy/.DS_Store",
        "daisy/Thumbs.db",
        "rose/DESKTOP.INI",
        "__MACOSX/daisy/._1.jpg",
        ".git/config",
    ]
    entries = walk(make(tmp_path, dict.fromkeys([*litter, "daisy/1.jpg", "daisy/.hidden/2.jpg"], b"1")))
    assert [entry.name for entry in entries] == ["daisy/1.jpg"]


def test_folders_are_passed_over(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("daisy/", b"")
        archive.writestr("rose\\", b"")
    member = tarfile.TarInfo("daisy")
    member.type = tarfile.DIRTYPE
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(member)
    (tmp_path / "folder" / "daisy").mkdir(parents=True)
    assert [walk(tmp_path / name) for name in ("a.zip", "a.tar", "folder")] == [[], [], []]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((f"flowers{suffix}", True) for suffix in (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")),
        *(("FLOWERS.ZIP", True), ("daisy.jpg", False), ("zip", False), ("flowers.gz", False)),
        *((f"flowers{suffix}", CAN_READ_ZSTD) for suffix in (".tar.zst", ".TZST")),
        *(("flowers.7z", False), ("flowers.rar", False), ("flowers.zst", False)),
    ],
)
def test_looks_like_archive(name: str, expected: bool) -> None:
    assert looks_like_archive(name) is expected


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.7z", "RAR and 7z"), ("A.RAR", "RAR and 7z"), ("a.tar.zst", "EXTRAS=zstd"), ("a.doc", "Choose a .zip, .tm, ")],
)
def test_what_is_not_read_as_an_archive_is_told(name: str, words: str) -> None:
    assert words in why_no_archive(name)
