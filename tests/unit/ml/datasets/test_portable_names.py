"""Every system can unpack the names of a download, and none is there twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.datasets.litter import is_litter
from ml.datasets.portable_names import MAX_FOLDER, PortableNames, portable

FORBIDDEN = set('<>:"/\\|?*')


@given(st.text(max_size=300))
def test_any_name_becomes_one_that_can_be_unpacked(name: str) -> None:
    found = portable(name, MAX_FOLDER)
    assert 0 < len(found.encode()) <= MAX_FOLDER + 1
    assert not FORBIDDEN & set(found)
    assert not found.endswith((".", " "))
    assert not is_litter(found)
    assert not any(ord(character) < 32 for character in found)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat", "cat"),
        ("🐈", "🐈"),
        ("a/b\\c", "a_b_c"),
        ("..", "_"),
        ("CON", "_CON"),
        ("com1.jpg", "_com1.jpg"),
        ("console", "console"),
        (".hidden", "_.hidden"),
        ("Thumbs.db", "_Thumbs.db"),
        ("what? ", "what_"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert portable(name, MAX_FOLDER) == expected


def test_classes_keep_folders_of_their_own() -> None:
    names = PortableNames(reserved=("unlabelled",))
    labels = ["cat", "Cat", "a/b", "a_b", "unlabelled", "x" * 90 + "1", "x" * 90 + "2"]
    folders = [names.folder("", label) for label in labels]
    assert len({folder.casefold() for folder in [*folders, "unlabelled"]}) == len(labels) + 1
    assert names.folder("", "cat") == "cat"
    assert names.folder("test", "cat") == "test/cat"


def test_namesakes_are_told_apart() -> None:
    names = PortableNames()
    paths = [names.file("cat", name, "jpg", sha256) for name, sha256 in (("x/1.jpg", "a" * 64), ("1.JPG", "b" * 64))]
    assert paths == ["cat/1.jpg", "cat/1 bbbbbbbbbbbb.JPG"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1.jpeg", "1.jpeg"),
        ("1", "1.png"),
        ("notes.txt", "notes.txt.png"),
        ("clip.mp4#0001.0s", "clip.mp4#0001.0s.png"),
    ],
)
def test_every_picture_has_an_ending(name: str, expected: str) -> None:
    assert PortableNames().file("", name, "png", "a" * 64) == expected
