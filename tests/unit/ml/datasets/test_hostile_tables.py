"""Test that files which are no tables, or hostile ones, cost little and change nothing."""

from typing import Any

import pytest

from ml.datasets.picture_index import PictureIndex
from tests.layouts import pictures, plan_of, table

GOOD = pictures("a/#2", "b/#1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deep.json", "[" * 100_000),
        ("deep.json", '{"a":' * 50_000),
        ("lines.jsonl", '{"file_name": "0.jpg"}\nnot json'),
        ("numbers.json", "[1, 2, 3]"),
        ("empty.json", ""),
        ("huge_field.csv", "file,label\n0.jpg," + "x" * 300_000),
        ("nul.csv", "file,label\n0.jpg,\0\n"),
        ("quotes.csv", 'file,label\n"0.jpg,cat\n' * 100),
        ("prose.txt", "This is a text of some\nlines, with commas, and more.\n"),
        ("bomb.xml", '<!DOCTYPE x [<!ENTITY a "b">]><annotations>&a;</annotations>'),
        ("broken.xml", "<annotations><image name='0.jpg'>"),
        ("binary.csv", "\x00\x01\x02" * 1000),
    ],
)
def test_what_is_no_table_changes_nothing(name: str, text: str) -> None:
    plan = plan_of(GOOD | table(name, text))
    assert plan.classes == {"a": 2, "b": 1}
    assert plan.questions == []


def test_thousands_of_descriptions_are_not_tables() -> None:
    files = pictures("a/#300", "b/#300")
    files |= {f"a/{number}.json": b'{"label": "c"}' for number in range(300)}
    plan = plan_of(files)
    assert plan.classes == {"a": 300, "b": 300}


def test_table_never_names_a_picture_of_another_split() -> None:
    plan = plan_of(pictures("train/#2") | table("test.csv", "file,label\ntest/0.jpg,a\ntest/1.jpg,b"))
    assert plan.classes == {}


def test_pictures_named_twice_in_different_folders_are_told_apart() -> None:
    text = "file,label\nx/0.jpg,a\ny/0.jpg,b"
    plan = plan_of(pictures("x/#1", "y/#1") | table("labels.csv", text), "table")
    assert plan.classes == {"a": 1, "b": 1}
    plan = plan_of(pictures("x/#1", "y/#1") | table("labels.csv", "file,label\n0.jpg,a"), "last")
    assert plan.classes == {"x": 1, "y": 1}


def test_plan_of_many_files_is_linear() -> None:
    """Not timed: a plan that were quadratic would not end within the time of a test."""
    plan = plan_of(pictures(*(f"{split}/c{number}/#400" for split in ("train", "test") for number in range(100))))
    assert sum(plan.splits.values()) == 80_000


def test_column_of_measures_does_not_name_pictures() -> None:
    """A 3 may be a class or a width as well as mean 3.jpg."""
    text = "filename,width,kind\n1.jpg,2,a\n2.jpg,1,b\n3.jpg,3,a"
    plan = plan_of({f"{number}.jpg": b"" for number in (1, 2, 3)} | table("labels.csv", text), "table:labels.csv#kind")
    assert plan.classes == {"a": 2, "b": 1}


MANY_LABELS = [f"label{number}" for number in range(100_000)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("long_row.csv", "file" + ",label" * 4000 + "\n0.jpg" + ",x" * 4000 + "\n" + "0.jpg,y\n" * 300_000),
        (
            "one_hot.csv",
            "file," + ",".join(map(str, range(4000))) + "\n0.jpg" + ",1" * 4000 + "\n" + "0.jpg,1\n" * 300_000,
        ),
        ("one_picture.csv", "file,label\n" + "\n".join(f"0.jpg,{label}" for label in MANY_LABELS)),
        (
            "one_picture.xml",
            "<a><image name='0.jpg'>" + "".join(f"<tag label='{label}'/>" for label in MANY_LABELS) + "</image></a>",
        ),
    ],
)
def test_table_that_says_too_much_of_one_picture_costs_little(name: str, text: str) -> None:
    """Not timed: each would take minutes, or all of the memory."""
    assert plan_of(GOOD | table(name, text), "last").classes == {"a": 2, "b": 1}


@pytest.mark.parametrize("strange", ["[1]", "{}", "null", "1.5"])
def test_ids_of_a_strange_kind_are_no_ids(strange: str) -> None:
    text = (
        f'{{"images": [{{"id": {strange}, "file_name": "0.jpg"}}], "categories": [{{"id": {strange}, "name": "x"}}],'
        f' "annotations": [{{"image_id": {strange}, "category_id": {strange}}}]}}'
    )
    assert sum(plan_of(GOOD | table("coco.json", text), "last").classes.values()) == 3


def test_endless_line_of_no_known_encoding_costs_little() -> None:
    files = GOOD | {"labels.csv": b"\xe4" * 20_000_000}
    assert plan_of(files, "last").classes == {"a": 2, "b": 1}


class CountingIndex(PictureIndex):
    compared = 0

    def _closeness(self, *arguments: Any) -> Any:
        self.compared += 1
        return super()._closeness(*arguments)


def test_same_name_in_a_thousand_folders_is_found_without_comparing_all() -> None:
    index = CountingIndex([((f"class{number}",), "0.jpg") for number in range(1000)])
    assert [index.find(f"images/class{number}/0.jpg") for number in range(1000)] == list(range(1000))
    assert index.compared == 0
    assert [index.find("0.jpg") for _ in range(1000)] == [None] * 1000
    assert index.compared == 1000  # for the first line, and never again
