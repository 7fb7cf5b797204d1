"""The nearest pictures are found, among few exactly and among many nearly all of them."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ml.images import neighbours
from ml.images.likeness import make_sketch
from ml.images.near_duplicates import find_near_duplicates
from ml.images.neighbours import NOBODY, Nearest, find_nearest, reduce_features, to_unit


def find(unit: NDArray[np.float32], count: int, rows: Sequence[int] | None = None) -> Nearest:
    wanted = np.arange(len(unit)) if rows is None else np.array(rows, np.intp)
    blocks = list(find_nearest(unit, wanted, count))
    return Nearest(
        *(np.concatenate([getattr(block, name) for block in blocks]) for name in ("rows", "others", "cosines"))
    )


def lookalikes(count: int, copies: int, seed: int = 0) -> NDArray[np.float32]:
    """Return features of pictures of a few kinds, and of `copies` of each picture that differ a little."""
    rng = np.random.default_rng(seed)
    kinds = rng.standard_normal((8, 64))
    pictures = kinds[rng.integers(0, 8, count)] + rng.standard_normal((count, 64))
    altered = np.repeat(pictures, copies, 0) + 0.4 * rng.standard_normal((count * copies, 64))
    return to_unit(np.concatenate([pictures, altered]).astype(np.float32))


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few hundred pictures count as many, in lists that are as short in comparison."""
    monkeypatch.setattr(neighbours, "EXACT_BELOW", 100)
    monkeypatch.setattr(neighbours, "LIST", 30)


@given(st.integers(1, 6), st.integers(1, 700), st.integers(1, 6), st.integers(0, 3))
def test_largest_are_those_of_each_row(rows: int, columns: int, count: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(-50, 50, (rows, columns)).astype(np.float32)
    wanted = min(count, columns)
    found = np.take_along_axis(values, neighbours._largest(values, wanted), 1)
    np.testing.assert_array_equal(np.sort(found), np.sort(values)[:, columns - wanted :])


def test_largest_of_what_is_all_the_same() -> None:
    found = neighbours._largest(np.ones((2, 2000), np.float32), 5)
    assert [len(set(row)) for row in found.tolist()] == [5, 5]


def test_few_pictures_are_compared_all_with_all() -> None:
    unit = lookalikes(40, 1)
    found = find(unit, 3)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    np.testing.assert_allclose(np.sort(found.cosines), np.sort(cosines)[:, -3:], atol=1e-6)


@pytest.mark.usefixtures("many")
def test_nearly_all_copies_are_found_among_many() -> None:
    unit = lookalikes(600, 1)
    found = find(unit, 5)
    assert np.mean([row + 600 in others for row, others in enumerate(found.others[:600])]) >= 0.95
    there = found.others != NOBODY
    rows = np.repeat(found.rows, 5).reshape(there.shape)
    assert not (found.others == rows).any()
    np.testing.assert_allclose((unit[rows[there]] * unit[found.others[there]]).sum(1), found.cosines[there], atol=1e-5)


@pytest.mark.usefixtures("many")
def test_only_what_is_asked_for_is_searched() -> None:
    unit = lookalikes(200, 1)
    found = find(unit, 2, rows=[7, 205])
    assert found.rows.tolist() == [7, 205]
    assert 207 in found.others[0]
    assert 5 in found.others[1]


@pytest.mark.usefixtures("many")
def test_same_picture_many_times_does_no_harm() -> None:
    found = find(to_unit(np.ones((300, 8), np.float32)), 4)
    assert all(len({row, *others}) == 5 for row, others in zip(found.rows, found.others.tolist(), strict=True))


@pytest.mark.usefixtures("many")
@given(arrays(np.float32, (130, 5), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)))
def test_wild_features_do_no_harm(features: NDArray[np.float32]) -> None:
    found = find(reduce_features(features), 3)
    assert np.isfinite(found.cosines[found.others != NOBODY]).all()


@pytest.mark.parametrize("reduced_from", [0, 10_000])
def test_copies_are_nearest_with_all_features_and_with_fewer(
    reduced_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "REDUCED_FROM", reduced_from)
    rng = np.random.default_rng(0)
    pictures = rng.standard_normal((100, 160)) * np.linspace(2, 0.1, 160)  # a few directions tell the most
    features = np.concatenate([pictures, 3 * pictures + rng.normal(0, 0.1, pictures.shape)]).astype(np.float32)
    reduced = reduce_features(features)
    assert reduced.shape[1] == (160 if reduced_from else neighbours.DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(reduced, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(reduced @ reduced.T, to_unit(features) @ to_unit(features).T, atol=0.05)
    assert find(reduced, 1).others[:, 0].tolist() == [*range(100, 200), *range(100)]


@pytest.mark.usefixtures("many")
def test_near_duplicates_are_found_among_many() -> None:
    features = lookalikes(150, 1)
    drawn = [make_sketch(np.random.default_rng(seed).integers(0, 255, (128, 128, 3), np.uint8)) for seed in range(150)]
    sketches = np.stack([*drawn, *drawn])
    blocks = find_near_duplicates(features, range(300), lambda rows: sketches[rows])
    found = {pair for block in blocks for pair in block}
    assert found <= {(row, row + 150) for row in range(150)}
    assert len(found) >= 0.95 * 150
