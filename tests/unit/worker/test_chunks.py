"""How work is cut into jobs."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker import chunks as chunking
from worker.embed import MAX_CHUNK, MIN_CHUNK


def cut_chunks(items: list[int], *, after: int = 0) -> list[list[int]]:
    return list(chunking.cut_chunks(items, least=MIN_CHUNK, most=MAX_CHUNK, after=after))


@given(st.integers(0, 5000))
def test_chunks_hold_every_image_once_and_shrink(count: int) -> None:
    chunks = cut_chunks(list(range(count)))
    assert [image for chunk in chunks for image in chunk] == list(range(count))
    sizes = [len(chunk) for chunk in chunks]
    assert all(before >= after for before, after in pairwise(sizes))
    assert all(MIN_CHUNK <= size <= MAX_CHUNK for size in sizes[:-1])


@given(st.integers(0, 500), st.integers(1, 5000))
def test_chunks_do_not_shrink_before_the_end(count: int, after: int) -> None:
    sizes = [len(chunk) for chunk in cut_chunks(list(range(count)), after=after)]
    whole = [len(chunk) for chunk in cut_chunks(list(range(count + after)))]
    assert sizes[:-1] == whole[: len(sizes)][:-1]


def test_many_images_are_cut_large() -> None:
    assert len(cut_chunks(list(range(100_000)))) < 100_000 / MAX_CHUNK * 1.05
