"""The simulation of what growing costs."""

import numpy as np

from bench.growing_simulation import Costs, Load, arrivals, cores_needed, depth, simulate, waits


def test_who_finds_a_free_core_does_not_wait() -> None:
    assert list(waits([0, 1], 5, 2)) == [0, 0]


def test_who_finds_none_waits_for_the_first_to_be_free() -> None:
    assert list(waits([0, 1, 2], 5, 1)) == [0, 4, 8]


def test_depth_counts_those_who_wait_at_once() -> None:
    arrived = np.array([0.0, 1, 2])
    assert depth(arrived, waits(arrived, 5, 1)) == 2
    assert depth(arrived, waits(arrived, 5, 3)) == 0


def test_no_fewer_cores_would_do() -> None:
    arrived = arrivals(2000, seed=3)
    cores = cores_needed(arrived, 60, 10)
    assert np.percentile(waits(arrived, 60, cores), 95) <= 10
    assert cores > 1
    assert np.percentile(waits(arrived, 60, cores - 1), 95) > 10


def test_the_same_seed_gives_the_same_day() -> None:
    assert simulate(Load(), Costs(), seed=5) == simulate(Load(), Costs(), seed=5)


def test_sizes_grow_with_the_load() -> None:
    once, often = (simulate(Load().times(scale), Costs()) for scale in (1, 10))
    assert often["database GB"] == 10 * once["database GB"]
    assert often["dollars/month"] > once["dollars/month"]
