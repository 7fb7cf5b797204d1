"""Measure plan_archive: what is understood of an archive with many entries, before anything is stored."""

import time
import zipfile
from pathlib import Path

from bench.figures import Figure, Seconds, compare
from bench.site import CLASSES, BenchmarkSite
from ml.datasets.archives import open_archive

FEW, MANY = 2000, 20_000
ROUNDS = 5
MOST, SLOWEST = 1.0, 1.5


def plan_archive(bench: BenchmarkSite) -> Figure:
    """Measure the seconds to plan a zip with many entries, beside a tenth of them ten times."""
    few, many = (_planner(bench.folder / f"{count}.zip", count) for count in (FEW, MANY))
    found = compare(many, [[lambda: MANY // FEW * few()]], rounds=ROUNDS)
    ratio = found.ratio
    target = f"value <= {MOST:.0f} and ratio <= {SLOWEST}"
    return Figure("plan_archive", found.real, "s", found.limit, ratio, target, found.real <= MOST and ratio <= SLOWEST)


def _planner(path: Path, count: int) -> Seconds:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for place in range(count):
            archive.writestr(f"photos/class {place % CLASSES}/IMG_{place:05}.jpg", b"")

    def plan() -> float:
        begun = time.perf_counter()
        opened = open_archive(path)
        if sum(opened.plan.classes.values()) != count:
            raise RuntimeError("The plan does not have all pictures.")
        return time.perf_counter() - begun

    return plan
