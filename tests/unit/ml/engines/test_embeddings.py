"""Test that embeddings come in order, and that no thread outlives an error or a cancelled job."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from ml.engines.embeddings import BATCH, embed_pictures, embedding_key
from ml.engines.litert import LiteRTEngine
from ml.images.augmentation import Augmentation, load_augmented
from ml.images.decoding import PREPROCESSING_VERSION, PictureUnreadable, load_picture
from ml.images.rendering import Framing
from tests.pictures import make_jpeg

AHEAD = 2  # batches


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


class Reader:
    """A reader that makes the picture of a number, and remembers what was asked for."""

    def __init__(self, broken: int | None = None, error: Exception | None = None) -> None:
        self.asked: list[int] = []
        self._broken, self._error = broken, error

    def __call__(self, number: int) -> bytes:
        self.asked.append(number)
        if number == self._broken:
            if self._error:
                raise self._error
            return b"no picture"
        return make_jpeg(number)


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 5 * BATCH + 3])
def test_embed_keeps_the_order(engine: LiteRTEngine, count: int) -> None:
    batches = list(embed_pictures(range(count), Reader(), engine))
    assert [key for keys, _ in batches for key in keys] == list(range(count))
    assert all(0 < len(keys) == len(features) <= BATCH for keys, features in batches)
    if count:
        expected = engine.embed(np.stack([load_picture(make_jpeg(number), 32) for number in range(count)]))
        np.testing.assert_allclose(np.concatenate([features for _, features in batches]), expected, rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_embed_batch_size(engine: LiteRTEngine, batch: int) -> None:
    sizes = [len(keys) for keys, _ in embed_pictures(range(10), Reader(), engine, batch=batch)]
    assert max(sizes) == min(batch, 10)
    assert sum(sizes) == 10


def test_embed_a_view_of_each(engine: LiteRTEngine) -> None:
    augmentation = Augmentation(1, flip_left_right=True, random_crop=20, random_scale=0, random_brightness=30)
    ((_, features),) = embed_pictures(range(5), make_jpeg, engine, augmentation=augmentation)
    expected = engine.embed(np.stack([load_augmented(make_jpeg(number), 32, augmentation) for number in range(5)]))
    np.testing.assert_array_equal(features, expected)


def test_embed_same_picture_twice(engine: LiteRTEngine) -> None:
    ((keys, features),) = embed_pictures(["a", "a"], lambda _: make_jpeg(1), engine)
    assert keys == ["a", "a"]
    np.testing.assert_array_equal(features[0], features[1])


@pytest.mark.parametrize("broken", [0, BATCH * 2, BATCH * 10 - 1])
def test_embed_read_error_comes_out(engine: LiteRTEngine, broken: int) -> None:
    reader, done = Reader(broken, OSError("the disk is gone")), []

    def embed_all() -> None:
        for keys, _ in embed_pictures(range(BATCH * 10), reader, engine):
            done.extend(keys)

    with pytest.raises(OSError, match="the disk is gone"):
        embed_all()
    assert done == list(range(broken // BATCH * BATCH))  # all batches before the broken one
    assert len(reader.asked) <= len(done) + (AHEAD + 1) * BATCH


def test_embed_broken_picture_comes_out(engine: LiteRTEngine) -> None:
    with pytest.raises(PictureUnreadable):
        list(embed_pictures(range(20), Reader(broken=3), engine))


def test_embed_forward_error_leaves_no_thread() -> None:
    class Broken:
        input_size, features, framing = 32, 48, Framing.WHOLE

        def embed(self, pictures: object) -> np.ndarray:
            raise RuntimeError("no")

    reader = Reader()
    with pytest.raises(RuntimeError, match="no"):
        list(embed_pictures(range(1000), reader, Broken()))
    assert len(reader.asked) <= (AHEAD + 1) * BATCH


def test_embed_decodes_no_further_ahead_than_promised(engine: LiteRTEngine) -> None:
    reader, done = Reader(), 0
    for keys, _ in embed_pictures(range(100), reader, engine):
        done += len(keys)
        assert len(reader.asked) <= done + AHEAD * BATCH


def test_embed_closed_early_cancels_what_is_waiting(engine: LiteRTEngine) -> None:
    """Finish the batch that is being decoded, and never begin the one behind it."""
    begun, go_on, asked = threading.Event(), threading.Event(), []

    def read(number: int) -> bytes:
        asked.append(number)
        if number == BATCH:  # the first picture of the second batch
            begun.set()
            assert go_on.wait(10)
        return make_jpeg(number)

    batches = embed_pictures(range(1000), read, engine)
    next(batches)
    assert begun.wait(10)
    threading.Timer(0.2, go_on.set).start()  # while close() is waiting for the thread
    batches.close()  # type: ignore[attr-defined]
    assert len(asked) == 2 * BATCH


def test_embed_never_begun_reads_nothing(engine: LiteRTEngine) -> None:
    reader = Reader()
    embed_pictures(range(100), reader, engine).close()  # type: ignore[attr-defined]
    assert reader.asked == []


def test_embedding_key_names_backbone_and_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    key = embedding_key("a" * 64)
    assert key == f"{'a' * 40}-p{PREPROCESSING_VERSION}"
    assert embedding_key("b" * 64) != key
    monkeypatch.setattr("ml.engines.embeddings.PREPROCESSING_VERSION", PREPROCESSING_VERSION + 1)
    assert embedding_key("a" * 64) != key


def test_embedding_key_of_a_view_is_the_pictures_and_its_marker() -> None:
    augmentation = Augmentation(16, flip_left_right=True, random_crop=100, random_scale=100, random_brightness=100)
    assert embedding_key("a" * 64, augmentation) == f"{embedding_key('a' * 64)}-{augmentation.marker}"
