"""Test that names, patterns and encodings made to take long do not. None is timed: each would run for minutes."""

import pytest

from ml.datasets.file_names import label_before_number, match_pattern
from ml.datasets.groups import group_by_name
from ml.datasets.picture_index import PictureIndex
from ml.datasets.readings import BadLayout, parse_layout


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("*a" * 6 + "{class}b", "a" * 255), ("{class}b" + "*a" * 6 + "c", "b" + "a" * 254), ("*{class}*x", "a" * 255)],
)
def test_pattern_that_does_not_fit_is_given_up_soon(pattern: str, name: str) -> None:
    assert match_pattern(pattern, name) == ""


@pytest.mark.parametrize(
    ("pattern", "name", "label"),
    [
        ("*_{class}_*.jpg", "1_cat_2_3.jpg", "cat"),
        ("a*b{class}c*d", "aXbXbcatcXcd", "Xb"),
        ("{class}.*.*", "cat.1.2.jpg", "cat"),
        ("*{class}", "cat", "cat"),
    ],
)
def test_pattern_takes_the_first_that_fits(pattern: str, name: str, label: str) -> None:
    assert match_pattern(pattern, name) == label


@pytest.mark.parametrize("name", ["a" * 900 + "1" * 900 + "x", "a_" * 900 + "x", "a" + "_" * 1900 + "x", "a1" * 900])
def test_name_without_a_label_is_given_up_soon(name: str) -> None:
    for _ in range(20):
        assert len(label_before_number(name)) in (0, 1799)


def test_name_of_no_series_is_given_up_soon() -> None:
    assert set(group_by_name([f"1{'_' * 5000}x{number}y" for number in range(100)])) == {""}


def test_address_of_nothing_but_questions_is_read_soon() -> None:
    assert PictureIndex([((), "1.jpg")]).find(f"a://b/1.jpg{'?' * 300_000}\nb") == 0


@pytest.mark.parametrize("name", ["idna", "punycode", "undefined", "unicode_escape", "utf-7", "hex", "nothing"])
def test_what_no_program_writes_names_in_is_no_encoding(name: str) -> None:
    with pytest.raises(BadLayout, match="encoding"):
        parse_layout(f"auto,encoding={name}")


def test_endless_layout_is_refused() -> None:
    with pytest.raises(BadLayout, match="2,000 characters"):
        parse_layout("auto" + ",merge" * 400_000)
