"""Test that a file is complete under its name or absent."""

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from ml.files import open_atomically, write_atomically
from tests.disk import full_disk

LENGTH = 2**20


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_bytes_and_text_are_written_to_a_new_folder(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "folder" / "bytes", b"\x00\xff")
    write_atomically(tmp_path / "new" / "folder" / "text", "苹果\n")
    assert (tmp_path / "new" / "folder" / "bytes").read_bytes() == b"\x00\xff"
    assert (tmp_path / "new" / "folder" / "text").read_bytes() == "苹果\n".encode()


def test_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    with open_atomically(path) as file:
        file.write(b"af")
        file.flush()
        assert path.read_text() == "before"
        file.write(b"ter")
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])
def test_writer_that_raises_leaves_what_was_there(tmp_path: Path, raised: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(raised):
        write_half(path, raised)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path, raised: type[BaseException]) -> None:
    with open_atomically(path) as file:
        file.write(b"half")
        raise raised


def test_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    with full_disk(room=1000), pytest.raises(OSError, match="too large"):
        write_atomically(path, b"x" * 1001)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_writer_that_raises_leaves_nothing_where_nothing_was(tmp_path: Path) -> None:
    with pytest.raises(ValueError), open_atomically(tmp_path / "file"):
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_name_that_cannot_be_taken_leaves_no_stray_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", b"x")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_longest_name_can_be_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


@pytest.mark.usefixtures("umask")
def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    write_atomically(tmp_path / "file", b"x")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(("asked", "given"), [(0o600, 0o600), (0o644, 0o640)])
def test_permissions_that_are_asked_for_lose_the_umask(tmp_path: Path, asked: int, given: int) -> None:
    write_atomically(tmp_path / "file", b"x", mode=asked)
    assert (tmp_path / "file").stat().st_mode & 0o777 == given


def test_two_processes_at_once_never_show_a_part(tmp_path: Path) -> None:
    path, context = tmp_path / "file", multiprocessing.get_context("spawn")
    stop = context.Event()
    writers = [context.Process(target=write_on, args=(path, letter, stop)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    seen: set[bytes] = set()
    try:
        while seen != {b"a", b"b"} and all(writer.is_alive() for writer in writers):
            if path.exists():
                data = path.read_bytes()
                assert data == data[:1] * LENGTH
                seen.add(data[:1])
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen == {b"a", b"b"}
    assert list(tmp_path.iterdir()) == [path]


def write_on(path: Path, letter: bytes, stop: Event) -> None:
    while not stop.is_set():
        with open_atomically(path) as file:
            for _ in range(16):
                file.write(letter * (LENGTH // 16))
