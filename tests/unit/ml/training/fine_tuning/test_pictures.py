"""Test the batches: all pictures, in order, decoded once if there is room for them."""

from collections import Counter

import numpy as np
import pytest

from ml.images.augmentation import Augmentation, load_augmented
from ml.images.decoding import PictureUnreadable
from ml.training.fine_tuning.pictures import PictureFeed, Wanted
from tests.pictures import make_jpeg

SIZE = 16
FILES = {str(number): make_jpeg(number) for number in range(10)}
VIEW = Augmentation(1, True, 0, 0, 0)
WANTED: list[Wanted] = [(name, VIEW if int(name) % 3 == 0 else None) for name in FILES]


@pytest.mark.parametrize("room", [0, 4, 100])
def test_batches_are_in_order_and_what_fits_is_read_once(room: int) -> None:
    reads: Counter[str] = Counter()

    def read(name: str) -> bytes:
        reads[name] += 1
        return FILES[name]

    with PictureFeed(read, SIZE, held=room * 3 * SIZE * SIZE) as feed:
        for _ in range(3):
            batches = list(feed.batches(WANTED, 4))
            assert [len(batch) for batch in batches] == [4, 4, 2]
            expected = np.stack([load_augmented(FILES[name], SIZE, augmentation) for name, augmentation in WANTED])
            np.testing.assert_array_equal(np.concatenate(batches), expected)
    kept = min(room, 10)
    assert sum(reads.values()) == pytest.approx(10 * 3 - 2 * kept, abs=4)  # two threads may keep one more each


def test_views_are_kept_apart() -> None:
    with PictureFeed(FILES.__getitem__, SIZE) as feed:
        (plain,) = feed.batches([("1", None)])
        (mirrored,) = feed.batches([("1", VIEW)])
        np.testing.assert_array_equal(plain, mirrored[:, :, ::-1])


def test_nothing_gives_no_batch() -> None:
    with PictureFeed(FILES.__getitem__, SIZE) as feed:
        assert list(feed.batches([])) == []


def test_picture_that_cannot_be_read_comes_out() -> None:
    with PictureFeed({**FILES, "9": b"none"}.__getitem__, SIZE) as feed, pytest.raises(PictureUnreadable):
        list(feed.batches(WANTED, 4))
