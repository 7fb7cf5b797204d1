"""Files become files on all cores: in forks or in threads, with the same outcome."""

import errno
import os
from pathlib import Path

import pytest

from classifier.models.image import image_path
from classifier.services import incoming_files
from classifier.services.images import read_file
from classifier.services.incoming_files import IncomingFile, read_incoming_files
from ml.datasets.archives import ArchiveEntry, ArchiveWalk, walk_archive, walk_folder
from tests.archive_files import make_folder, make_tar, make_zip
from tests.pictures import make_jpeg

COUNT = 300  # enough to be worth forking


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Make good pictures of two classes with some bad ones among them, named in the order of the walk."""
    found = {f"{'ab'[place % 2]}/{place:03}.jpg": make_jpeg(place, (24, 24)) for place in range(COUNT)}
    found["a/007.jpg"], found["b/151.jpg"], found["a/298.jpg"] = b"text", b"", found["a/298.jpg"][:300]
    return dict(sorted(found.items()))


def expect(files: dict[str, bytes], found: list[IncomingFile]) -> None:
    assert [incoming.file_name for incoming in found] == list(files)
    for incoming, data in zip(found, files.values(), strict=True):
        assert (incoming.facts is None) == bool(incoming.reason)
        if incoming.facts:
            assert read_file(image_path(incoming.facts.sha256)) == data
    assert [incoming.file_name for incoming in found if incoming.reason] == ["a/007.jpg", "a/298.jpg", "b/151.jpg"]


@pytest.mark.parametrize("forks", [True, False])
@pytest.mark.parametrize("make", [make_zip, make_tar, make_folder])
def test_all_files_in_their_order(
    make,
    forks: bool,
    files: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setattr(incoming_files, "CAN_FORK", forks and incoming_files.CAN_FORK)
    path = make(tmp_path, files)
    walk = (walk_folder if path.is_dir() else walk_archive)(path)
    expect(files, list(read_incoming_files(walk)))


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_goes_on_where_a_dead_worker_ended(make, files: dict[str, bytes], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    found = list(read_incoming_files(walk_archive(make(tmp_path, files)), 100))
    assert [incoming.file_name for incoming in found] == list(files)[100:]


def pids(count: int) -> set[int]:
    """Return the processes that read so many entries."""
    seen = Path(os.environ["SEEN"])

    def entry(place: int) -> ArchiveEntry:
        (seen / str(os.getpid())).touch()
        return ArchiveEntry(f"a/{place}.jpg", "a", make_jpeg(1, (8, 8)), None)

    assert len(list(read_incoming_files(ArchiveWalk.of_any_order(count, entry)))) == count
    return {int(path.name) for path in seen.iterdir()}


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "seen"
    folder.mkdir()
    monkeypatch.setenv("SEEN", str(folder))


@pytest.mark.skipif(not incoming_files.CAN_FORK, reason="Nothing is forked on this system.")
@pytest.mark.usefixtures("folder_storage")
def test_many_are_read_in_other_processes(seen: None) -> None:
    assert os.getpid() not in pids(COUNT)


def test_a_few_are_read_in_this_process(seen: None) -> None:
    assert pids(5) == {os.getpid()}


def test_full_disk_ends_it(files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("classifier.services.images.store_once", fail)
    with pytest.raises(OSError, match="No space"):
        list(read_incoming_files(walk_archive(make_zip(tmp_path, files))))
