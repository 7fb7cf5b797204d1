"""Test the order of the test files."""

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
