"""Test the choice of pictures that differ from each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.training.diversity import k_center_greedy


def test_one_of_each_kind_comes_before_a_second_of_any() -> None:
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.eye(4, 16, dtype=np.float32), 25, axis=0)
    features = (kinds + 0.05 * rng.standard_normal(kinds.shape)).astype(np.float32)
    chosen = k_center_greedy(features, 4)
    assert chosen[0] == 0
    assert {place // 25 for place in chosen} == {0, 1, 2, 3}


@given(
    arrays(np.float32, st.tuples(st.integers(0, 12), st.integers(1, 5)), elements=st.floats(-1e3, 1e3, width=32)),
    st.integers(0, 20),
)
def test_any_features_give_so_many_different_places(features: np.ndarray, count: int) -> None:  # type: ignore[type-arg]
    chosen = k_center_greedy(features, count)
    assert len(chosen) == len(set(chosen)) == min(max(count, 1), len(features))
