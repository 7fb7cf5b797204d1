"""Tell which figures other machines on the same host disturbed, and measure those again.

A virtual machine can be told to wait while others run; Linux counts that time as stolen. What is measured meanwhile
says nothing about the site. So a figure is measured again if much was stolen, whether it met its target or not, and
the measurement counts from which the least was stolen.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import psutil

from bench.figures import Figure

MOST = 0.05  # of all processors' time
AGAIN = 2  # how often at most


def with_stolen(measure: Callable[[], Figure]) -> Figure:
    """Measure a figure, and note which share of the processors' time was stolen meanwhile."""
    begun, before = time.monotonic(), _stolen()
    figure = measure()
    processors = psutil.cpu_count() or 1
    return replace(figure, stolen=(_stolen() - before) / (processors * max(time.monotonic() - begun, 0.01)))


def _stolen() -> float:
    """Return the seconds that have been stolen from all processors so far; only Linux tells."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def measure_undisturbed(measure: Callable[[list[str]], Sequence[Figure]], names: list[str]) -> list[Figure]:
    """Return the named figures in this order, those that were disturbed measured again, AGAIN times at most."""
    found = {figure.name: figure for figure in measure(names)}
    for _ in range(AGAIN):
        disturbed = [name for name in names if found[name].stolen > MOST]
        if not disturbed:
            break
        for figure in measure(disturbed):
            found[figure.name] = min(found[figure.name], figure, key=lambda one: one.stolen)
    return [found[name] for name in names]
