"""Measure the page of an evaluation: of 20,000 test pictures beside the same page of 2,000."""

from collections.abc import Callable

from bench.figures import Figure, compare
from bench.rows import write_tested_version
from bench.site import BenchmarkSite

MANY, FEW, CLASSES = 20_000, 2000, 10
MOST_SECONDS, MOST_GROWTH = 0.3, 1.5
ROUNDS = 7


def evaluation_page(bench: BenchmarkSite) -> Figure:
    """Measure the seconds to a page's first byte, once its figures have been computed, which the first visit does."""
    many, few = (
        write_tested_version(bench.user, f"{count} test pictures", count=count, classes=CLASSES)
        for count in (MANY, FEW)
    )
    found = compare(_open_page(bench, many), [[_open_page(bench, few)]], rounds=ROUNDS)
    ok = found.real <= MOST_SECONDS and found.ratio <= MOST_GROWTH
    target = f"value <= {MOST_SECONDS} and ratio <= {MOST_GROWTH}"
    return Figure("evaluation_page", found.real, "s", found.limit, found.ratio, target, ok)


def _open_page(bench: BenchmarkSite, slug: str) -> Callable[[], float]:
    address = f"/projects/{slug}/versions/1/evaluation/"
    print(f"evaluation_page: the first visit took {bench.first_byte(address):.3f} s")

    def measure() -> float:
        return bench.first_byte(address)

    return measure
