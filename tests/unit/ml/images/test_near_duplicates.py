"""Pictures of the same photo are found among others, by features as a backbone gives them and by their pixels."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from ml.images.decoding import load_picture
from ml.images.likeness import SKETCH, likenesses, make_sketch
from ml.images.near_duplicates import find_near_duplicates, join_groups
from tests.pictures import encode, photo_like_jpeg

PHOTOS = 40


def alterations(photo: Image.Image) -> dict[str, Image.Image]:
    width, height = photo.size
    return {
        "resized": photo.resize((width // 2, height // 2)),
        "recompressed": Image.open(io.BytesIO(encode(photo, "JPEG", quality=30))),
        "mirrored": photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "lighter": ImageEnhance.Brightness(photo).enhance(1.25),
        "cropped": photo.crop((width // 20, height // 12, width - width // 14, height - height // 25)),
        "cropped and mirrored": photo.crop((0, height // 10, width - width // 15, height)).transpose(
            Image.Transpose.FLIP_LEFT_RIGHT
        ),
    }


def features_of(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what changes little when a picture is mirrored or cropped a little, as a backbone's features do."""
    small = np.asarray(Image.fromarray(picture).resize((4, 4), Image.Resampling.BOX), np.float32)
    return (small + small[:, ::-1]).ravel()


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    """Give photos, followed by all alterations of the first of them."""
    files = [photo_like_jpeg(seed) for seed in range(PHOTOS)]
    files += [encode(one, "PNG") for one in alterations(Image.open(io.BytesIO(files[0]))).values()]
    return [load_picture(file, 224) for file in files]


@pytest.fixture(scope="module")
def sketches(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return np.stack([make_sketch(picture) for picture in pictures])


def test_same_photo_is_alike_and_another_is_not(sketches: NDArray[np.uint8]) -> None:
    altered = sketches[PHOTOS:]
    with_first = np.array([(0, PHOTOS + place) for place in range(len(altered))])
    with_others = np.array([(place, PHOTOS // 2 + place) for place in range(PHOTOS // 2)])
    assert likenesses(sketches, with_first).min() > 0.7
    assert likenesses(sketches, with_others).max() < 0.6


def test_likeness_is_the_same_either_way_round_and_in_any_company(sketches: NDArray[np.uint8]) -> None:
    pairs = np.array([(a, b) for a in range(len(sketches)) for b in range(a)])
    together = likenesses(sketches, pairs)
    assert np.allclose(together, likenesses(sketches, pairs[:, ::-1]), atol=1e-5)
    some = slice(len(pairs) - 100, None, 7)
    alone = [likenesses(sketches[pair], np.array([(0, 1)]))[0] for pair in pairs[some]]
    assert np.allclose(together[some], alone, atol=1e-5)


def test_plain_pictures_are_like_nothing() -> None:
    plain = np.full((2, SKETCH, SKETCH), 7, np.uint8)
    assert likenesses(plain, np.array([(0, 1)])).max() < 0.1


def test_no_pairs() -> None:
    assert likenesses(np.empty((0, SKETCH, SKETCH), np.uint8), np.empty((0, 2), np.intp)).shape == (0,)


def find(features: NDArray[np.float32], new: Sequence[int], sketches: NDArray[np.uint8]) -> set[tuple[int, int]]:
    return {pair for block in find_near_duplicates(features, new, lambda rows: sketches[rows]) for pair in block}


def test_all_alterations_of_a_photo_are_joined(pictures: list[NDArray[np.uint8]], sketches: NDArray[np.uint8]) -> None:
    features = np.stack([features_of(picture) for picture in pictures])
    features -= features[:PHOTOS].mean(0)
    groups = join_groups(len(pictures), list(find(features, range(len(pictures)), sketches)))
    assert set(groups[PHOTOS:]) == {0}
    assert groups[1:PHOTOS] == list(range(1, PHOTOS))


def test_only_new_pictures_are_compared(sketches: NDArray[np.uint8]) -> None:
    same = np.repeat(sketches[:1], 4, 0)
    features = np.tile(np.arange(1, 9, dtype=np.float32), (4, 1))
    asked: list[int] = []

    def draw(rows: Sequence[int]) -> NDArray[np.uint8]:
        asked.extend(rows)
        return same[rows]

    found = [pair for block in find_near_duplicates(features, [3], draw) for pair in block]
    assert sorted(found) == [(0, 3), (1, 3), (2, 3)]
    assert find(features, [], same) == set()


@pytest.mark.parametrize("count", [1, 2])
def test_few_pictures(count: int, sketches: NDArray[np.uint8]) -> None:
    features = np.ones((count, 8), np.float32)
    assert len(find(features, range(count), np.repeat(sketches[:1], count, 0))) == count - 1


def test_huge_features_do_no_harm(sketches: NDArray[np.uint8]) -> None:
    features = np.full((3, 8), 1e30, np.float32)
    assert find(features, range(3), np.repeat(sketches[:1], 3, 0)) == {(0, 1), (0, 2), (1, 2)}


def test_features_of_nothing_do_no_harm(sketches: NDArray[np.uint8]) -> None:
    assert find(np.zeros((3, 8), np.float32), range(3), sketches) == set()


@given(pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_groups_are_what_is_connected(pairs: list[tuple[int, int]]) -> None:
    groups = join_groups(10, pairs)
    assert all(groups[first] == groups[second] for first, second in pairs)
    assert all(groups[root] == root <= row for row, root in enumerate(groups))
    assert len(set(groups)) >= 10 - len(pairs)
