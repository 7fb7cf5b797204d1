"""Measure the grid of pictures: a page of 100,000 beside the same page of 1,000, and acts on 1,000 chosen pictures."""

import time
from collections.abc import Callable, Iterator
from itertools import cycle

from bench.figures import Figure, compare
from bench.rows import write_bare_samples
from bench.site import BenchmarkSite

MANY, FEW, CLASSES, CHOSEN = 100_000, 1000, 10, 1000
# Filters and orders that people use, each of which has its own way through the database.
PAGES = ("", "?sort=name", "?sort=unsure", "?class_id={class_id}", "?split=test&sort=odd", "?name=9")
MOST_SECONDS, MOST_GROWTH, ACTION_SECONDS = 0.15, 1.3, 1.0
ROUNDS = 15


def grid_page(bench: BenchmarkSite) -> Figure:
    """Measure the seconds to a page's first byte, of the slowest kind of page of 100,000 pictures."""
    many, few = _projects(bench)
    worst = max(
        (compare(_open_page(bench, many, page), [[_open_page(bench, few, page)]], rounds=ROUNDS) for page in PAGES),
        key=lambda found: found.real,
    )
    ok = worst.real <= MOST_SECONDS and worst.ratio <= MOST_GROWTH
    target = f"value <= {MOST_SECONDS} and ratio <= {MOST_GROWTH}"
    return Figure("grid_page", worst.real, "s", worst.limit, worst.ratio, target, ok)


def grid_action(bench: BenchmarkSite) -> Figure:
    """Measure the seconds to move 1,000 of 100,000 pictures to another class, beside doing it where there are 1,000."""
    many, few = _projects(bench)
    found = compare(_move(bench, many), [[_move(bench, few)]], rounds=ROUNDS)
    ok = found.real <= ACTION_SECONDS and found.ratio <= MOST_GROWTH
    target = f"value <= {ACTION_SECONDS:.0f} and ratio <= {MOST_GROWTH}"
    return Figure("grid_action", found.real, "s", found.limit, found.ratio, target, ok)


def _projects(bench: BenchmarkSite) -> tuple[str, str]:
    """Return the slugs of the large and the small project, which are written once."""
    names = {"Many in a grid": MANY, "Few in a grid": FEW}
    there = {one["name"]: one["slug"] for one in bench.client.ok("GET", "/projects")}
    many, few = (
        there.get(name) or write_bare_samples(bench.user, name, count=count, classes=CLASSES)
        for name, count in names.items()
    )
    return many, few


def _open_page(bench: BenchmarkSite, slug: str, page: str) -> Callable[[], float]:
    query = page.format(class_id=_classes(bench, slug)[0])

    def measure() -> float:
        return bench.first_byte(f"/projects/{slug}/pictures/{query}")

    return measure


def _move(bench: BenchmarkSite, slug: str) -> Callable[[], float]:
    """Return what moves the same pictures, to another class each time."""
    ids: list[int] = []
    cursor = ""
    while len(ids) < CHOSEN:
        page = bench.client.ok("GET", f"/projects/{slug}/samples?size=1000&after={cursor}")
        ids += [sample["id"] for sample in page["samples"]]
        cursor = page["next"]
    classes: Iterator[int] = cycle(_classes(bench, slug))

    def measure() -> float:
        body = {"ids": ids[:CHOSEN], "class_id": next(classes)}
        begun = time.perf_counter()
        bench.client.ok("POST", f"/projects/{slug}/samples/move", body)
        return time.perf_counter() - begun

    return measure


def _classes(bench: BenchmarkSite, slug: str) -> list[int]:
    return [one["id"] for one in bench.client.ok("GET", f"/projects/{slug}")["classes"]]
