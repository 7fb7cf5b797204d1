"""Test what is found in the files that people send, among them hostile archives and labels."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.errors import ImportRefused, first_line
from ml.model_import import sources
from ml.model_import.sources import FROZEN_GRAPH, SAVED_MODEL, TFLITE, find_source, make_unique, parse_labels

LITE = b"\0\0\0\0TFL3" + b"\0" * 100


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def find(path: Path, tmp_path: Path) -> sources.Source:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return find_source(path, scratch)


def test_saved_model_in_a_folder_of_a_zip(tmp_path: Path) -> None:
    files = {
        "model.savedmodel/saved_model.pb": b"x",
        "model.savedmodel/variables/a": b"y",
        "labels.txt": b"0 cat\n1 dog\n",
    }
    found = find(write_zip(tmp_path / "a.zip", files), tmp_path)
    assert (found.kind, found.path.name, found.labels) == (SAVED_MODEL, "model.savedmodel", ["cat", "dog"])


def test_tar_of_a_saved_model_whose_root_it_is(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("./saved_model.pb")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    assert find(tmp_path / "a.tgz", tmp_path).kind == SAVED_MODEL


def test_tflite_is_known_by_its_mark_and_its_labels_are_found_within(tmp_path: Path) -> None:
    path = tmp_path / "anything"
    path.write_bytes(LITE)
    with zipfile.ZipFile(path, "a") as within:
        within.writestr("labels.txt", "b\na\n")
    found = find(path, tmp_path)
    assert (found.kind, found.labels) == (TFLITE, ["b", "a"])


def test_anything_else_is_taken_for_a_graph(tmp_path: Path) -> None:
    (tmp_path / "graph").write_bytes(b"\x0a\x20input")
    assert find(tmp_path / "graph", tmp_path).kind == FROZEN_GRAPH


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.txt": b"x"}, "There is no SavedModel"),
        ({"a.tflite": LITE, "b.tflite": LITE}, "There are 2 .tflite files"),
        ({"../evil.pb": b"x"}, "invalid name"),
        ({"/etc/evil.pb": b"x"}, "invalid name"),
        ({"a/../../evil.pb": b"x"}, "invalid name"),
        ({"C:\\evil.pb": b"x"}, "invalid name"),
    ],
)
def test_archive_that_cannot_be_used_says_why(files: dict[str, bytes], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=sentence):
        find(write_zip(tmp_path / "a.zip", files), tmp_path)
    assert not list(tmp_path.parent.glob("evil*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("saved_model.pb")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(ImportRefused, match="links or devices"):
        find(tmp_path / "a.tar", tmp_path)


def test_too_many_and_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_MODEL_BYTES", 1000)
    with pytest.raises(ImportRefused, match="more than"):
        find(write_zip(tmp_path / "a.zip", {"a.pb": b"x" * 600, "b.pb": b"x" * 600}), tmp_path)


def test_file_that_is_larger_than_announced_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="larger than the archive says"):
        sources.unpack(iter([("a.pb", 3, lambda: io.BytesIO(b"x" * 100))]), tmp_path)


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_damaged_archives_are_a_sentence(cut: int, tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "a.zip", {"saved_model.pb": bytes(range(256)) * 40}).read_bytes()
    (tmp_path / "b.tgz").write_bytes(b"\x1f\x8b" + whole[:-cut])
    with pytest.raises(ImportRefused):
        find(tmp_path / "b.tgz", tmp_path)


def test_empty_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(ImportRefused, match="empty"):
        find(tmp_path / "empty", tmp_path)


def test_labels_keep_what_looks_like_a_number_but_is_none() -> None:
    assert parse_labels(b"1 euro\n2 euro\n") == ["1 euro", "2 euro"]
    assert parse_labels("\ufeffcaf\u00e9\r\ntea\r\n\r\n".encode()) == ["café", "tea"]
    with pytest.raises(ImportRefused, match="UTF-8"):
        parse_labels(b"\xff\xfe\x00")


@given(st.binary(max_size=300))
def test_any_bytes_are_labels_or_a_sentence(data: bytes) -> None:
    try:
        labels = parse_labels(data)
    except ImportRefused:
        return
    assert all(isinstance(label, str) for label in labels)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            'Graph execution error:\n\nDetected at (most recent call last):\n  File "/us", line 2\n\nOOM here\n',
            "OOM here",
        ),
        ("No such tag\nmore", "No such tag"),
        ("", "ValueError"),
        ("x" * 900, "x" * 200),
    ],
)
def test_first_line_says_what_is_wrong(said: str, line: str) -> None:
    assert first_line(ValueError(said)) == line


def test_labels_that_repeat_are_numbered() -> None:
    assert make_unique(["crane", "heron", "crane", "crane"]) == ["crane", "heron", "crane (2)", "crane (3)"]
    assert make_unique(["a", "a", "a (2)", "a (2)"]) == ["a", "a (3)", "a (2)", "a (2) (2)"]
