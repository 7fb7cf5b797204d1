"""Each kind of finding is found where it is, and nowhere else."""

import sys
from collections import Counter
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from ml.audit.findings import Picture, find_in_classes, find_in_embeddings, find_in_pictures
from ml.audit.kinds import KINDS
from ml.audit.labels import UNLABELLED, judge_labels
from ml.audit.map import lay_out
from ml.audit.measures import MAX_CAMERA, Measures, measure_picture, read_origin
from ml.audit.origins import find_giveaways
from ml.audit.outliers import LEAST_SCORE, score_outliers
from ml.audit.vectors import find_neighbours, make_vectors
from ml.images.decoding import load_picture
from tests.pictures import encode, photo_like_jpeg


def picture(**facts: Any) -> Picture:
    return Picture(**{"label": 0, "width": 400, "height": 300, **facts})


def measured(pixels: np.ndarray[Any, Any]) -> Picture:
    return picture(measures=measure_picture(pixels.astype(np.uint8), b""))


def kinds_of(*pictures: Picture) -> list[str]:
    return sorted(found.kind for found in find_in_pictures(pictures))


@pytest.fixture(scope="module")
def photo() -> np.ndarray[Any, Any]:
    return load_picture(photo_like_jpeg(1), 224)


def test_good_photo_has_no_finding(photo: np.ndarray[Any, Any]) -> None:
    assert kinds_of(measured(photo)) == []


def test_pictures_that_show_little_are_found(photo: np.ndarray[Any, Any]) -> None:
    blurred = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(10)))
    assert kinds_of(measured(np.full((224, 224, 3), 127))) == ["blank"]
    assert kinds_of(measured(photo // 6)) == ["dark"]
    assert kinds_of(measured(255 - (255 - photo.astype(int)) // 8)) == ["bright"]
    assert kinds_of(measured(blurred)) == ["blurred"]


def test_small_picture_that_was_enlarged_is_not_blurred() -> None:
    assert kinds_of(measured(load_picture(photo_like_jpeg(2, width=128, height=128), 224))) == []


def test_sizes_and_shapes() -> None:
    assert kinds_of(picture(width=20, height=30)) == ["tiny"]
    assert kinds_of(picture(width=1000, height=200)) == ["odd_shape"]
    assert kinds_of(picture(width=0, height=0)) == ["tiny"]


def test_same_photos_and_contradictions() -> None:
    pictures = [picture(photo="a"), picture(photo="a", label=1), picture(photo="b"), picture(photo="b"), picture()]
    found = list(find_in_pictures([*pictures, picture(photo="b", label=UNLABELLED)]))
    assert sorted(one.place for one in found if one.kind == "near_duplicate") == [0, 1, 2, 3, 5]
    assert sorted(one.place for one in found if one.kind == "contradiction") == [0, 1]
    best = sorted((one for one in found if one.kind == "near_duplicate"), key=lambda one: -one.score)
    assert [one.place for one in best[:3]] == [2, 3, 5]  # the largest group first


def test_files_whose_pixels_are_the_same(photo: np.ndarray[Any, Any]) -> None:
    assert kinds_of(measured(photo), measured(photo), measured(photo[::-1])) == ["identical"] * 2


def test_small_and_untested_classes() -> None:
    pictures = [picture(label=0, split="test")] * 30 + [picture(label=1, split="training")] * 3
    found = {(one.kind, one.label) for one in find_in_classes(pictures)}
    assert found == {("imbalance", 1), ("few_test", 1)}


def test_nothing_is_said_of_the_test_before_pictures_are_dealt() -> None:
    assert list(find_in_classes([picture(label=label) for label in (0, 1)])) == []


def from_camera(label: int, camera: str, count: int, taken: date | None = None) -> list[Picture]:
    return [picture(label=label, measures=Measures(0, 255, 50, 1, "", camera, taken))] * count


def test_camera_that_gives_a_class_away() -> None:
    found = list(find_in_classes(from_camera(0, "Phone", 12) + from_camera(0, "", 5) + from_camera(1, "Reflex", 12)))
    assert {(one.label, one.details["value"]) for one in found} == {(0, "Phone"), (1, "Reflex")}


def test_day_that_gives_a_class_away() -> None:
    pictures = [*from_camera(0, "", 12, date(2024, 5, 1)), *from_camera(1, "", 12, date(2024, 5, 2))]
    assert {one.details["value"] for one in find_in_classes(pictures)} == {"2024-05-01", "2024-05-02"}


def test_camera_of_several_classes_or_of_few_pictures_gives_nothing_away() -> None:
    assert not find_giveaways(["Phone"] * 40, [0, 1] * 20)
    assert not find_giveaways(["Phone"] * 9 + ["Reflex"] * 30, [0] * 9 + [1] * 30)[1:]
    assert not find_giveaways(["Phone"] * 40, [0] * 40)
    assert not find_giveaways([], [])


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.integers(0, 3)), max_size=60))
def test_giveaways_are_shares(pairs: list[tuple[str, int]]) -> None:
    found = find_giveaways([value for value, _ in pairs], [label for _, label in pairs])
    assert all(0 <= one.share_of_others <= 0.05 and 0.5 <= one.share <= 1 and one.value for one in found)
    assert len({one.label for one in found}) == len(found)


def test_camera_and_day_are_read_from_exif() -> None:
    exif = Image.Exif()
    exif[0x0110] = "  Phone\x00 12\n "
    exif.get_ifd(0x8769)[0x9003] = "2024:05:31 12:00:00"
    data = encode(Image.new("RGB", (8, 8)), "JPEG", exif=exif)
    assert read_origin(data) == ("Phone 12", date(2024, 5, 31))


@pytest.mark.parametrize("camera", ["x" * 500, "", "\x00\x01"])
@pytest.mark.parametrize("day", ["2024:99:99 1", "", "0000:00:00 00:00:00", "soon"])
def test_nonsense_in_exif_does_no_harm(camera: str, day: str) -> None:
    exif = Image.Exif()
    exif[0x0110], exif[0x0132] = camera, day
    found, taken = read_origin(encode(Image.new("RGB", (8, 8)), "JPEG", exif=exif))
    assert len(found) <= MAX_CAMERA
    assert found.isprintable()
    assert taken is None


@given(st.binary(max_size=300))
def test_any_bytes_are_no_reason_to_stop(data: bytes) -> None:
    assert read_origin(data) == ("", None)
    assert read_origin(b"\xff\xd8\xff\xe1" + data)[1] is None


def odd_one_out(count: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    features = rng.standard_normal(30) + 0.3 * rng.standard_normal((count, 30))
    features[3] = rng.standard_normal(30)
    return np.maximum(features, 0).astype(np.float32)


def test_picture_unlike_all_others_is_an_outlier() -> None:
    vectors, labels = make_vectors(odd_one_out(80)), np.zeros(80, np.int64)
    scores = score_outliers(find_neighbours(vectors), labels)
    assert scores.argmax() == 3
    judgement = judge_labels(vectors, labels, [str(place) for place in range(80)], 1)
    found = [one.place for one in find_in_embeddings([picture()] * 80, judgement, scores) if one.kind == "outlier"]
    assert 3 in found
    assert len(found) <= 3


@pytest.mark.parametrize("count", [0, 1, 2, 19])
def test_few_pictures_have_no_outliers(count: int) -> None:
    scores = score_outliers(find_neighbours(make_vectors(odd_one_out(20)[:count])), np.zeros(count, np.int64))
    assert scores.tolist() == [0] * count


def test_same_picture_many_times_has_no_outliers() -> None:
    vectors = make_vectors(np.ones((50, 6), np.float32))
    assert score_outliers(find_neighbours(vectors), np.zeros(50, np.int64)).max() < LEAST_SCORE


@pytest.mark.parametrize("count", [0, 1, 2, 9, 60])
@pytest.mark.usefixtures("layouts_by")
@pytest.mark.parametrize("features", ["odd", "same", "nan"])
def test_map_has_a_place_for_each_picture_and_is_the_same_each_time(count: int, features: str) -> None:
    made = {
        "odd": odd_one_out(60)[:count],
        "same": np.ones((count, 5), np.float32),
        "nan": np.full((count, 5), np.nan, np.float32),
    }[features]
    vectors = make_vectors(made)
    first, second = (lay_out(vectors, find_neighbours(vectors)) for _ in range(2))
    assert first.shape == (count, 2)
    assert np.isfinite(first).all()
    assert np.abs(first).max(initial=0) <= 1.0001
    np.testing.assert_array_equal(first, second)


@pytest.fixture(params=["openTSNE", "scikit-learn"])
def layouts_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay out with each of the libraries: ARM Linux has but one of them."""
    if request.param == "scikit-learn":
        monkeypatch.setitem(sys.modules, "openTSNE", None)


@pytest.mark.usefixtures("layouts_by")
def test_classes_lie_together_on_the_map() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    features = np.maximum(rng.standard_normal((2, 30))[labels] + 0.3 * rng.standard_normal((120, 30)), 0)
    vectors = make_vectors(features.astype(np.float32))
    places = lay_out(vectors, find_neighbours(vectors))
    distances = np.linalg.norm(places[:, None] - places, axis=2) + 9 * np.eye(120)
    assert (labels[distances.argmin(1)] == labels).mean() > 0.95


def test_kinds_say_what_to_do() -> None:
    assert len(KINDS) == 14
    assert max(map(len, KINDS)) <= 20  # of the column
    assert all(kind.sentence.endswith(".") for kind in KINDS.values())
    assert Counter(kind.severity for kind in KINDS.values()).keys() == {"serious", "check", "hint"}
