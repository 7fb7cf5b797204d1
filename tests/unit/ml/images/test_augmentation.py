"""Test that augmented copies are always the same, within the requested limits, and all different."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from ml.images.augmentation import Augmentation, load_augmented
from ml.images.decoding import ImageRejected, load_picture
from tests.pictures import encode, photo_like_jpeg

SIZE = 32
PHOTO = photo_like_jpeg(1, 120, 90)
OFF: dict[str, Any] = {"flip_left_right": False, "random_crop": 0, "random_scale": 0, "random_brightness": 0}
PERCENT = st.integers(0, 100)


def augment(number: int = 1, **distortions: Any) -> Augmentation:
    return Augmentation(number, **{**OFF, **distortions})


def grey(level: int, number: int = 0) -> bytes:
    """Return a picture of one grey, with its number in a corner, so that each is another file."""
    pixels = np.full((8, 8, 3), level, np.uint8)
    pixels[0, 0] = number
    return encode(Image.fromarray(pixels), "BMP")


def test_without_a_view_the_picture_itself() -> None:
    np.testing.assert_array_equal(load_augmented(PHOTO, SIZE, None), load_picture(PHOTO, SIZE))


@given(st.booleans(), PERCENT, PERCENT, PERCENT, st.integers(1, 16))
def test_any_view_is_a_picture_and_the_same_again(flip: bool, crop: int, scale: int, light: int, number: int) -> None:
    wanted = Augmentation(number, flip, crop, scale, light)
    picture = load_augmented(PHOTO, SIZE, wanted)
    assert (picture.shape, picture.dtype) == ((SIZE, SIZE, 3), np.uint8)
    np.testing.assert_array_equal(picture, load_augmented(PHOTO, SIZE, wanted))


def test_same_on_every_machine() -> None:
    """Give these greys for a grey of 100 everywhere, so that embeddings of two machines can be mixed."""
    found = [
        int(load_augmented(grey(100), 8, augment(number, random_brightness=50))[4, 4, 0]) for number in range(1, 7)
    ]
    assert found == [53, 79, 53, 100, 122, 138]


def test_views_settings_and_pictures_are_drawn_for_themselves() -> None:
    def light(number: int, **more: Any) -> int:
        return int(load_augmented(grey(100), 8, augment(number, random_brightness=100, **more))[4, 4, 0])

    assert len({light(number) for number in range(1, 17)}) > 10
    assert [light(number) for number in range(1, 9)] != [light(number, random_crop=1) for number in range(1, 9)]
    others = {
        int(load_augmented(grey(100, number), 8, augment(random_brightness=100))[4, 4, 0]) for number in range(16)
    }
    assert len(others) > 10


def test_brightness_stays_within_its_bounds_and_reaches_for_both() -> None:
    found = [int(load_augmented(grey(100, number), 8, augment(random_brightness=20))[4, 4, 0]) for number in range(200)]
    assert 80 <= min(found) < 84
    assert 116 < max(found) <= 120
    assert 98 < np.mean(found) < 102


def test_white_stays_white_however_bright() -> None:
    found = [int(load_augmented(grey(255, number), 8, augment(random_brightness=100))[4, 4, 0]) for number in range(60)]
    assert found.count(255) > 20  # half are made brighter, and nothing wraps around to black


def places_of(augmented: Iterator[NDArray[np.uint8]], enlarged: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return where each copy was cut out; fail if there is no such place."""
    spare = range(len(enlarged) - SIZE + 1)
    windows = {enlarged[y : y + SIZE, x : x + SIZE].tobytes(): (y, x) for y in spare for x in spare}
    return [windows[picture.tobytes()] for picture in augmented]


def test_crop_is_cut_out_of_the_enlarged_picture_anywhere() -> None:
    wanted = [augment(number, random_crop=10) for number in range(1, 101)]
    places = places_of((load_augmented(PHOTO, SIZE, one) for one in wanted), load_picture(PHOTO, 35))
    assert len(set(places)) == 16  # four places each way, the edges among them


def test_scale_enlarges_by_up_to_so_much_beyond_the_crop(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def load(data: bytes, size: int, **_: object) -> NDArray[np.uint8]:
        sizes.append(size)
        return load_picture(data, size)

    monkeypatch.setattr("ml.images.augmentation.load_picture", load)
    for number in range(1, 101):
        load_augmented(PHOTO, 100, augment(number, random_scale=50))
        assert 100 <= sizes[-1] < 150
    assert min(sizes) < 105
    assert max(sizes) > 145
    load_augmented(PHOTO, 100, augment(random_crop=20, random_scale=50))
    assert 120 <= sizes[-1] < 180


def test_every_other_view_is_mirrored() -> None:
    plain = load_picture(PHOTO, SIZE)
    for number in (1, 3, 5):
        np.testing.assert_array_equal(
            load_augmented(PHOTO, SIZE, augment(number, flip_left_right=True)), plain[:, ::-1]
        )
        np.testing.assert_array_equal(load_augmented(PHOTO, SIZE, augment(number + 1, flip_left_right=True)), plain)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ImageRejected):
        load_augmented(b"no picture", SIZE, augment(random_crop=10))


def test_marker_tells_views_apart() -> None:
    changes: list[dict[str, Any]] = [
        {"flip_left_right": True},
        {"random_crop": 1},
        {"random_scale": 1},
        {"random_brightness": 1},
    ]
    markers = {augment(number, **change).marker for change in changes for number in (1, 11)}
    assert len(markers) == 8
    assert len(Augmentation(16, True, 100, 100, 100).marker) <= 20


def test_as_dict_gives_the_view_back() -> None:
    wanted = augment(3, random_scale=7, flip_left_right=True)
    assert Augmentation(**wanted.as_dict()) == wanted
