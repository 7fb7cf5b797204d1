"""Simulate a day of a site at 1, 10, 100 and 1,000 times a load: which cores, bytes and money it needs.

A queue is first come, first served, by so many equal cores. Arrivals follow a working day. Nothing here knows of
failures, of locks in the database or of networks: it says what must be there at least.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Shares of a day's load in each hour: a school or a laboratory.
HOURS = np.array([0, 0, 0, 0, 0, 0, 1, 4, 10, 12, 12, 10, 6, 10, 12, 10, 6, 3, 2, 1, 1, 0, 0, 0], float)
UPLOAD = 50  # pictures that arrive at once
SCALES = (1, 10, 100, 1000)


@dataclass(frozen=True)
class Load:
    """What happens in a day, and what is there already."""

    pictures: int = 200_000
    new_pictures: int = 2_000
    trainings: int = 100
    classifications: int = 20_000

    def times(self, scale: int) -> "Load":
        """Return so many times this load."""
        values = (self.pictures, self.new_pictures, self.trainings, self.classifications)
        return Load(*(scale * value for value in values))


@dataclass(frozen=True)
class Costs:
    """Seconds of a core, bytes and prices that the simulation is given."""

    ingest: float = 0.010  # assumed, a picture
    embed: float = 0.0143  # measured, a picture: one core embeds 69.8 a second
    train: float = 8.0  # assumed, a training with cached embeddings
    classify: float = 0.035  # assumed, an answer
    database: int = 6_336  # measured, bytes a picture: image, measures, sample, embedding and upload item
    file: int = 60_000  # assumed, bytes a picture with its thumbnail
    requests: int = 6  # assumed, requests to the object store a picture
    # List prices of this order in 2026, no provider's quote, in dollars.
    core_month: float = 25.0
    database_gb_month: float = 0.12
    object_gb_month: float = 0.023
    thousand_requests: float = 0.005


def arrivals(count: int, seed: int) -> np.ndarray:
    """Return the seconds of a day, sorted, at which so many things arrive."""
    random = np.random.default_rng(seed)
    hours = random.choice(24, count, p=HOURS / HOURS.sum())
    return np.sort((hours + random.random(count)) * 3600)


def waits(arrived: Sequence[float] | np.ndarray, service: float, cores: int) -> np.ndarray:
    """Return how long each waits until one of the cores begins it."""
    free, found = [0.0] * cores, []
    for at in arrived:
        begun = max(float(at), free[0])
        heapq.heapreplace(free, begun + service)
        found.append(begun - float(at))
    return np.array(found)


def depth(arrived: np.ndarray, waited: np.ndarray) -> int:
    """Return how many waited at once, at the worst moment."""
    begun = np.sort(arrived + waited)
    still = np.arange(1, len(arrived) + 1) - np.searchsorted(begun, arrived, side="right")
    return max(int(still.max(initial=0)), 0)


def cores_needed(arrived: np.ndarray, service: float, target: float) -> int:
    """Return the fewest cores with which 95 in 100 wait no longer than the target."""
    low, high = 1, 1
    while np.percentile(waits(arrived, service, high), 95) > target:
        low, high = high + 1, high * 2
    while low < high:
        middle = (low + high) // 2
        if np.percentile(waits(arrived, service, middle), 95) > target:
            low = middle + 1
        else:
            high = middle
    return low


def simulate(load: Load, costs: Costs, *, seed: int = 0, target: float = 10.0) -> dict[str, float]:
    """Return what a load needs."""
    uploads = arrivals(load.new_pictures // UPLOAD, seed)
    trainings = arrivals(load.trainings, seed + 1)
    embed = cores_needed(uploads, UPLOAD * (costs.ingest + costs.embed), target)
    train = cores_needed(trainings, costs.train, target)
    # Answers are too many for events: three cores for each that the busiest hour keeps busy, and one at least.
    peak = load.classifications * HOURS.max() / HOURS.sum() / 3600 * costs.classify
    web = max(int(np.ceil(3 * peak)), 1)
    gigabyte, year = 1e9, 365
    database = load.pictures * costs.database / gigabyte
    objects = load.pictures * costs.file / gigabyte
    requests = load.new_pictures * costs.requests
    money = (embed + train + web) * costs.core_month + database * costs.database_gb_month
    money += objects * costs.object_gb_month + 30 * requests / 1000 * costs.thousand_requests
    return {
        "web cores": web,
        "worker cores": embed,
        "trainer cores": train,
        "trainings waiting": depth(trainings, waits(trainings, costs.train, train)),
        "database GB": database,
        "database GB/year": load.new_pictures * year * costs.database / gigabyte,
        "object GB": objects,
        "requests/day": requests,
        "dollars/month": money,
    }


def print_simulation() -> None:
    """Print a table with a column for each scale."""
    found = [simulate(Load().times(scale), Costs()) for scale in SCALES]
    print(" " * 20 + "".join(f"{scale:>12}x" for scale in SCALES))
    for name in found[0]:
        print(f"{name:<20}" + "".join(f"{one[name]:>13,.0f}" for one in found))
