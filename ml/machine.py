"""Describe this machine."""

import os


def _count_cores() -> int:
    """Count the cores this process may use, which in a container may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


CORES = _count_cores()
