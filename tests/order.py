"""The order of the test files: it decides when a slip shows, and how long one core waits for the other at the end."""

from collections.abc import Callable, Iterable

import pytest

from tests.late import turn

# These take longest, in seconds from about 200 to 30. Two processes share the files: one of these that is begun last
# keeps its process busy when the other has nothing left to do.
LONGEST = (
    "tests/integration/test_model_import.py",
    "tests/integration/test_recovery.py",
    "tests/integration/test_exported_files.py",
    "tests/unit/ml/exports/test_exports_run.py",
    "tests/verification/test_backbones.py",
    "tests/browser/test_accessibility.py",
    "tests/integration/test_serve.py",
    "tests/browser/test_main_path.py",
    "tests/integration/test_power_cut.py",
    "tests/integration/test_outages.py",
    "tests/unit/ml/model_import/test_opening.py",
    "tests/integration/test_fine_tuning.py",
    "tests/browser/test_camera.py",
    "tests/integration/test_killed_processes.py",
    "tests/unit/ml/model_import/test_ranges.py",
    "tests/unit/ml/training/fine_tuning/test_loop.py",
    "tests/unit/classifier/test_tuning_jobs.py",
    "tests/integration/test_hub_load.py",
    "tests/unit/worker/test_cli_commands.py",
)


def file_of(nodeid: str) -> str:
    return nodeid.split("::")[0]


def rank_files(slow: Iterable[str]) -> Callable[[str], int]:
    """Return the rank of a file: 0 where all tests are quick, then the longest, then the others with slow tests."""
    places = {file: place for place, file in enumerate(LONGEST, 1)}
    others = dict.fromkeys(slow, len(LONGEST) + 1) | places
    return lambda file: others.get(file, 0)


def sort_items(items: list[pytest.Item]) -> None:
    """Put quick files first, so that a slip shows in seconds, and those that fill the last gap at the end."""
    rank = rank_files({file_of(item.nodeid) for item in items if item.get_closest_marker("slow")})
    files = sorted(dict.fromkeys(file_of(item.nodeid) for item in items), key=rank)
    quick, slow = [file for file in files if not rank(file)], [file for file in files if rank(file)]
    places = {file: place for place, file in enumerate(quick + turn(slow))}
    items.sort(key=lambda item: places[file_of(item.nodeid)])
