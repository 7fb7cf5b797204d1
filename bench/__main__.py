"""Measure, print a table and write results.json: `python -m bench [NAME...]`.

The exit status is 1 if a target is missed. A figure during which other machines on the same host took much of the
processors' time is measured again.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import psutil

from bench.figures import Figure, table
from bench.registry import FIGURES, measure
from bench.stolen import measure_undisturbed

RESULTS = Path(__file__).with_name("results.json")
BUSY_PERCENT = 15


def main(arguments: list[str]) -> int:
    """Run the benchmarks with these command-line arguments, and return the exit status."""
    names = _parse(arguments)
    # Programs that are started find their modules compiled, as those of users do.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    busy = psutil.cpu_percent(1.0)
    if busy > BUSY_PERCENT:
        print(f"The machine is busy with other things ({busy:.0f} %): the ratios will be noisy.", flush=True)
    figures = measure_undisturbed(_measure_in_child, names)
    RESULTS.write_text(json.dumps([figure.as_dict() for figure in figures], indent=1) + "\n")
    print(f"\n{table(figures)}\n")
    return 0 if all(figure.ok for figure in figures) else 1


def _parse(arguments: list[str]) -> list[str]:
    parser = argparse.ArgumentParser("python -m bench", description="Measure PoetsWeb beside its limits.")
    parser.add_argument("name", nargs="*", help=f"all of them where none is named: {', '.join(FIGURES)}")
    names = parser.parse_args(arguments).name or list(FIGURES)
    for name in names:
        if name not in FIGURES:
            parser.error(f"there is no figure {name!r}; choose of {', '.join(FIGURES)}")
    return list(names)


def _measure_in_child(names: list[str]) -> list[Figure]:
    """Measure in a process of its own, so that what is measured again begins on a new site too."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, names).result()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
