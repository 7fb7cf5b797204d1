"""Test the order of the test files."""

import math
from contextlib import nullcontext
from unittest.mock import Mock

import pytest

from tests import late
from tests.conftest import pytest_runtest_setup
from tests.late import LATE, turn
from tests.order import LONGEST, rank_files
from tests.site import ROOT


def test_quick_files_come_first_and_short_slow_ones_last() -> None:
    files = ["short but slow", LONGEST[1], "quick", LONGEST[0]]
    assert sorted(files, key=rank_files(["short but slow", LONGEST[0]])) == [
        "quick",
        LONGEST[0],
        LONGEST[1],
        "short but slow",
    ]


def test_longest_files_are_there() -> None:
    assert [file for file in LONGEST if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("name", LATE)
def test_late_tests_are_there(name: str) -> None:
    file, _, test = name.partition("::")
    assert (ROOT / file).exists()
    assert not test or f"def {test.split('[')[0]}" in (ROOT / file).read_text()


def test_where_there_is_no_time_for_all_each_comes_first_some_day(monkeypatch: pytest.MonkeyPatch) -> None:
    files = ["a", "b", "c"]
    monkeypatch.setattr(late, "UNTIL", math.inf)
    assert turn(files) == files
    monkeypatch.setattr(late, "UNTIL", 1e12)
    first = set()
    for day in range(3):
        monkeypatch.setattr("time.time", lambda day=day: day * late.DAY)
        assert sorted(turn(files)) == files
        first.add(turn(files)[0])
    assert first == {"a", "b", "c"}
    assert turn([]) == []


def test_what_would_begin_too_late_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "UNTIL", math.inf)
    late.skip_if_time_is_up()
    monkeypatch.setattr(late, "UNTIL", 1.0)
    with pytest.raises(pytest.skip.Exception):
        late.skip_if_time_is_up()


def test_what_takes_long_begins_earlier_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    long, seconds = next(iter(late.LONG.items()))
    monkeypatch.setattr("time.time", lambda: 1000.0)
    monkeypatch.setattr(late, "UNTIL", 1000.0 + seconds - 1)
    late.skip_if_time_is_up("tests/unit/test_short.py::test_one")
    with pytest.raises(pytest.skip.Exception):
        late.skip_if_time_is_up(f"{long}::test_one")


@pytest.mark.parametrize(("markers", "skipped"), [((), False), (("slow",), True), (("late",), True)])
def test_quick_tests_always_run(markers: tuple[str, ...], skipped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    item = Mock(nodeid="tests/unit/test_any.py::test_one", get_closest_marker=lambda name: name in markers)
    monkeypatch.setattr(late, "UNTIL", 1.0)
    with pytest.raises(pytest.skip.Exception) if skipped else nullcontext():
        pytest_runtest_setup(item)
