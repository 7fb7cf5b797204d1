"""Files of an archive or a folder are verified and stored in threads, and keep their order."""

import errno
from itertools import islice
from pathlib import Path

import pytest

from classifier.models.image import image_path
from classifier.services.images import read_file
from classifier.services.incoming_files import IncomingFile, read_incoming_files
from ml.datasets.archives import walk_archive, walk_folder
from tests.archive_files import make_folder, make_tar, make_zip
from tests.pictures import make_jpeg

COUNT = 300  # several groups


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


@pytest.mark.parametrize("make", [make_zip, make_tar, make_folder])
def test_all_files_in_their_order(make, files: dict[str, bytes], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = make(tmp_path, files)
    walk = (walk_folder if path.is_dir() else walk_archive)(path)
    expect(files, list(read_incoming_files(walk)))


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_goes_on_where_a_dead_worker_ended(make, files: dict[str, bytes], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    found = list(read_incoming_files(islice(walk_archive(make(tmp_path, files)), 100, None)))
    assert [incoming.file_name for incoming in found] == list(files)[100:]


def test_full_disk_ends_it(files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("classifier.services.images.store_unsynced", fail)
    with pytest.raises(OSError, match="No space"):
        list(read_incoming_files(walk_archive(make_zip(tmp_path, files))))
