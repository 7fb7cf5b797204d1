"""Test that single files of an archive are refused, and with which words, while the others are accepted."""

import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.datasets.archives import ArchiveLimits, ArchiveRejected, walk_folder
from tests.archive_files import (
    Make,
    classes,
    every_archive,
    every_kind,
    make_folder,
    make_tar,
    make_tgz,
    make_zip,
    walk,
)

BAD_NAMES = {
    "../1.jpg": "Its name points outside the archive.",
    "daisy/../../1.jpg": "Its name points outside the archive.",
    "daisy\\..\\1.jpg": "Its name points outside the archive.",
    "/etc/1.jpg": "Its name is an absolute path.",
    "\\\\server\\share\\1.jpg": "Its name is an absolute path.",
    "C:\\daisy\\1.jpg": "Its name is an absolute path.",
    "daisy/1\n.jpg": "Its name contains control characters.",
    "daisy/" + "x" * 1000: "Its name is too long.",
}


@every_archive
@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_are_refused_and_the_others_taken(make: Make, name: str, tmp_path: Path) -> None:
    entries = walk(make(tmp_path, {name: b"bad", "daisy/good.jpg": b"good"}))
    assert {entry.reason for entry in entries if entry.reason} == {BAD_NAMES[name]}
    assert [entry.data for entry in entries if entry.data is not None] == [b"good"]
    assert all(len(entry.name) <= 1001 and entry.name.isprintable() for entry in entries)


def test_zip_name_with_nul_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path, {"daisy/1.jpg~.exe": b"1"})
    path.write_bytes(path.read_bytes().replace(b"~", b"\x00"))
    assert walk(path)[0].reason == "Its name contains control characters."


@pytest.mark.parametrize("make", [make_tar, make_folder])
def test_names_that_are_no_text_are_shown_and_refused(make: Make, tmp_path: Path) -> None:
    found = classes(walk(make(tmp_path, {"d\udcff/1.jpg": b"1", "daisy/\udcfe.jpg": b"2"})))
    assert found == {
        "d\ufffd/1.jpg": "The name of its class is not valid text.",
        "daisy/\ufffd.jpg": "daisy",
    }


@every_kind
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("more.zip", b""),
        ("a.7z", b""),
        ("a.jpg", b"PK\x03\x04rest"),
        ("b.jpg", b"\x1f\x8brest"),
        ("c", b"Rar!rest"),
    ],
)
def test_nested_archives_are_refused(make: Make, name: str, data: bytes, tmp_path: Path) -> None:
    entries = walk(make(tmp_path, {f"daisy/{name}": data, "daisy/1.jpg": b"good"}))
    reasons = [entry.reason for entry in entries if entry.reason]
    assert reasons == ["It is itself an archive; archives inside archives are not read."]


@every_kind
def test_large_files_are_refused(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path, {"daisy/1.jpg": b"x" * 101, "daisy/2.jpg": b"x" * 100})
    found = classes(walk(path, ArchiveLimits(max_file_bytes=100)))
    assert found == {"daisy/1.jpg": "It is larger than 100 bytes.", "daisy/2.jpg": "daisy"}


def test_zip_links_and_devices_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, kind in (("link", stat.S_IFLNK), ("pipe", stat.S_IFIFO), ("plain", stat.S_IFREG)):
            info = zipfile.ZipInfo(f"daisy/{name}")
            info.external_attr = (kind | 0o644) << 16
            archive.writestr(info, b"/etc/passwd")
    assert [entry.reason for entry in walk(tmp_path / "a.zip")] == [
        "It is a link to another file; links are not followed.",
        "It is not an ordinary file.",
        None,
    ]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "It is a link"),
        (tarfile.LNKTYPE, "It is a link"),
        (tarfile.CHRTYPE, "It is not an ordinary"),
        (tarfile.BLKTYPE, "It is not an ordinary"),
        (tarfile.FIFOTYPE, "It is not an ordinary"),
        (tarfile.GNUTYPE_SPARSE, "It is not an ordinary"),
    ],
)
def test_tar_links_and_devices_are_refused(kind: bytes, words: str, tmp_path: Path) -> None:
    member = tarfile.TarInfo("daisy/1.jpg")
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(member)
    assert str(walk(tmp_path / "a.tar")[0].reason).startswith(words)


def test_folder_links_and_pipes_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "1.jpg").write_bytes(b"secret")
    root = make_folder(tmp_path, {"daisy/good.jpg": b"good"})
    (root / "daisy" / "link.jpg").symlink_to(secret / "1.jpg")
    (root / "rose").symlink_to(secret)
    os.mkfifo(root / "daisy" / "pipe.jpg")
    entries = walk(root)
    assert [entry.name for entry in entries if entry.data] == ["daisy/good.jpg"]
    assert len([entry for entry in entries if "link" in str(entry.reason)]) == 2


def test_folder_file_swapped_for_a_link_is_refused(tmp_path: Path) -> None:
    root = make_folder(tmp_path, {"daisy/1.jpg": b"1"})
    found = walk_folder(root)
    (root / "daisy/1.jpg").unlink()
    (root / "daisy/1.jpg").symlink_to("/etc/passwd")
    assert next(found).reason == "It cannot be opened."


# Whatever the names

NAMES = st.lists(
    st.one_of(
        st.sampled_from(
            ["..", ".", "daisy", "rose", " ", "C:", "~", "__MACOSX", ".x", "a.zip", "\\", "\x00", "e\u0301"]
        ),
        st.text(max_size=12),
    ),
    min_size=1,
    max_size=5,
).map("/".join)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("make", [make_zip, make_tgz])
@given(names=st.lists(NAMES, max_size=8, unique=True))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_names_are_walked_safely(make: Make, names: list[str], tmp_path: Path) -> None:
    names = [name.encode(errors="replace").decode() for name in names]
    try:
        entries = walk(make(tmp_path, dict.fromkeys(names, b"data")))
    except ArchiveRejected:
        return
    for entry in entries:
        assert "\x00" not in entry.name
        if entry.class_name is not None:
            assert not set(entry.class_name) & set("/\\\x00")
            assert entry.class_name not in ("", ".", "..")
        if entry.data is not None:
            assert ".." not in entry.name.replace("\\", "/").split("/")
            assert not entry.name.startswith(("/", "\\"))
