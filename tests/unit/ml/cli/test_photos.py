"""Test folders of photos: classes by the folders' names, splits by content, and features that are never stale."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ml.cli.bottlenecks import Bottlenecks, fill
from ml.cli.photos import BadPhotos, Photos, check_classes, list_photos, split_photos
from ml.engines.litert import LiteRTEngine
from ml.images.decoding import load_picture
from tests.datasets import coloured_pictures
from tests.pictures import make_jpeg


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def quiet(line: str) -> None:
    """Ignore the line."""


def splits(photos: Photos) -> dict[str, str]:
    return split_photos(photos.photos, validation_percentage=10, testing_percentage=10)


def test_labels_are_the_folders_names_as_they_are(tmp_path: Path) -> None:
    names = ("Foo_Bar", "foo bar", "苹果", "a-1")  # the original made "foo bar" of the first two, " " of the third
    files = {
        f"{name}/{number}.jpg": make_jpeg(10 * place + number)
        for place, name in enumerate(names)
        for number in range(3)
    }
    photos = list_photos(write(tmp_path, files), quiet)
    assert photos.labels == sorted(names)
    check_classes(photos, tmp_path, quiet)


def test_split_follows_the_content_wherever_it_lies(tmp_path: Path) -> None:
    files = coloured_pictures(20)
    here = list_photos(write(tmp_path / "here", files), quiet)
    renamed = {name.replace("/", "/new "): data for name, data in files.items()}
    there = list_photos(write(tmp_path / "far" / "away", renamed), quiet)
    assert splits(here) == splits(there)


@pytest.mark.parametrize("each", [3, 5, 20])
def test_no_split_of_a_class_is_empty(each: int, tmp_path: Path) -> None:
    photos = list_photos(write(tmp_path, coloured_pictures(each)), quiet)
    found = splits(photos)
    for label in range(3):
        assert {found[photo.sha256] for photo in photos.photos if photo.label == label} == {
            "training",
            "validation",
            "test",
        }


def test_same_picture_in_two_classes_is_said(tmp_path: Path) -> None:
    picture = make_jpeg(1)
    said: list[str] = []
    photos = list_photos(
        write(tmp_path, {"a/1.jpg": picture, "b/2.jpg": picture, "b/3.jpg": make_jpeg(2)}), said.append
    )
    assert said == ["b/2.jpg: the same picture is already a/1.jpg; it can only be in one class."]
    assert len(photos.photos) == 2


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "No class folders with pictures"),
        ({"1.jpg": b"x"}, "No class folders|Only one class folder"),
        ({f"a/{number}.jpg": make_jpeg(number) for number in range(4)}, "Only one class folder"),
        (
            {**{f"a/{number}.jpg": make_jpeg(number) for number in range(4)}, "b/9.jpg": make_jpeg(9)},
            "'b' has 1 picture\\.",
        ),
    ],
)
def test_too_little_is_a_sentence(files: dict[str, bytes], words: str, tmp_path: Path) -> None:
    with pytest.raises(BadPhotos, match=words):
        check_classes(list_photos(write(tmp_path, files), quiet), tmp_path, quiet)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(BadPhotos, match="There is no folder"):
        list_photos(tmp_path / "nowhere", quiet)


def test_small_classes_are_warned_of(tmp_path: Path) -> None:
    said: list[str] = []
    check_classes(list_photos(write(tmp_path, coloured_pictures(5)), quiet), tmp_path, said.append)
    assert len(said) == 3
    assert "'blue' has less than 20 pictures" in said[0]


def test_features_are_computed_once_and_by_content(tmp_path: Path, tflite: Path, engine: LiteRTEngine) -> None:
    folder = write(tmp_path / "photos", {**coloured_pictures(5), "red/broken.jpg": b"no picture"})
    kept = Bottlenecks(tmp_path / "bottlenecks", "key", engine.features)
    photos, said = list_photos(folder, quiet), []  # type: ignore[var-annotated]
    assert list(fill(kept, photos.photos, photos.read, lambda: LiteRTEngine(tflite), said.append)) == [8, 16]
    assert len(said) == 1
    assert said[0].startswith("red/broken.jpg: ")
    for photo in photos.photos:
        vector = kept.load(photo.sha256)
        if photo.name == "red/broken.jpg":
            assert vector is None
        else:
            picture = load_picture(photos.read(photo), engine.input_size)[np.newaxis]
            np.testing.assert_allclose(vector, engine.embed(picture)[0], atol=1e-6)

    (folder / "red/0.jpg").write_bytes(make_jpeg(4711))  # another picture under an old name
    again = list_photos(folder, quiet)
    missing = [photo.name for photo in again.photos if kept.load(photo.sha256) is None]
    assert missing == ["red/0.jpg", "red/broken.jpg"]


def test_damaged_features_are_as_good_as_none(tmp_path: Path) -> None:
    kept = Bottlenecks(tmp_path, "key", 4)
    kept.save("ab12", np.arange(4, dtype=np.float32))
    assert kept.load("ab12") is not None
    (tmp_path / "key" / "ab" / "ab12.f32").write_bytes(b"short")
    assert kept.load("ab12") is None
    kept.save("ab12", np.array([1, np.nan, 2, 3], np.float32))
    assert kept.load("ab12") is None


def test_picture_that_changes_meanwhile_is_a_sentence(tmp_path: Path) -> None:
    photos = list_photos(write(tmp_path, coloured_pictures(3)), quiet)
    shutil.rmtree(tmp_path / "red")
    with pytest.raises(BadPhotos, match="changed while the training was running"):
        photos.read(next(photo for photo in photos.photos if photo.name.startswith("red/")))


def test_pictures_on_the_web_are_told_and_not_passed_over(tmp_path: Path) -> None:
    more = {"more.csv": b"url,label\nhttps://example.org/1.jpg,red\n"}
    warned: list[str] = []
    list_photos(write(tmp_path, coloured_pictures(3) | more), warned.append)
    assert [
        line for line in warned if line.startswith("https://example.org/1.jpg: pictures on the web are not fetched")
    ]
