"""Test the pictures that a person sees beside the classes of an archive before it is stored."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from ml.datasets.archives import open_archive
from tests.archive_files import make_tgz
from tests.datasets import coloured_pictures, make_zip
from worker import class_thumbnails
from worker.class_thumbnails import EACH, PIXELS, show_classes


@pytest.fixture(params=["zip", "tgz"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    files = {"blue/broken.jpg": b"no picture", **coloured_pictures(5)}
    if request.param == "tgz":
        return make_tgz(tmp_path, files)
    path = tmp_path / "a.zip"
    path.write_bytes(make_zip(files))
    return path


def test_classes_have_a_few_small_pictures(archive: Path) -> None:
    shown = show_classes(open_archive(archive))
    assert set(shown) == {"red", "green", "blue"}
    assert {len(shown["red"]), len(shown["green"])} == {EACH}
    assert len(shown["blue"]) in (EACH - 1, EACH)  # one cannot be read
    picture = Image.open(io.BytesIO(base64.b64decode(shown["red"][0])))
    assert max(picture.size) <= PIXELS


def test_tar_is_not_read_to_its_end_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_thumbnails, "FIRST", 4)
    shown = show_classes(open_archive(make_tgz(tmp_path, coloured_pictures(5))))
    assert sum(map(len, shown.values())) <= 4
    assert len(shown) < 3
