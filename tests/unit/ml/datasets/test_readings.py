"""Test the values of `--layout`: what they mean, that they are written as they are read, and what is refused."""

from collections import Counter

import pytest

from ml.datasets.readings import BadLayout, Layout, combine, parse_layout
from tests.layouts import pictures, plan_of, table

ALL = [
    *("auto", "first", "last", "folder:2", "name", "name:{class}.*.jpg", "name:a,b_{class}.jpg", "table"),
    *("table:labels.csv", "table:a/b.csv#My column", "unlabelled", "splits", "first,merge", "last,apart,deal"),
    *("table:l.csv#x,keep,encoding=cp850", "auto,encoding=gbk"),
    *("auto,groups=folder:2", "last,keep,groups={group}_*.jpg,encoding=gbk", "first,groups=none"),
    *("auto,frames=2", "first,groups=none,frames=0.5,encoding=gbk"),
]


@pytest.mark.parametrize("text", ALL)
def test_layout_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_layout(text)) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "Use auto"),
        ("folder", "folder:2"),
        ("folder:0", "folder:2"),
        ("folder:x", "folder:2"),
        ("first:3", "takes nothing"),
        ("name:*.jpg", "{class} once"),
        ("name:{class}*******", "{class} once"),
        ("auto,encoding=klingon", "no encoding"),
        ("auto,groups=*.jpg", "{group} once"),
        ("auto,groups=folder:0", "{group} once"),
        *((f"auto,frames={text}", "0.01 to 30") for text in ("0", "31", "x", "-1", "1e1", "nan", "0.001")),
    ],
)
def test_bad_layout_is_a_sentence(text: str, says: str) -> None:
    with pytest.raises(BadLayout) as refused:
        parse_layout(text)
    assert says in str(refused.value)


def test_answers_to_several_questions_are_one_layout() -> None:
    assert combine(["auto,frames=2", "last", "auto,merge", "auto,encoding=gbk"]) == Layout(
        "last", merge=True, encoding="gbk", frames=2.0
    )


FILES = pictures("x/cat/a_#2", "x/dog/b_#1", "y/cat/a_#1")


@pytest.mark.parametrize(
    ("layout", "classes"),
    [
        ("first", {"x": 3, "y": 1}),
        ("last", {"cat": 3, "dog": 1}),
        ("folder:2", {"cat": 3, "dog": 1}),
        ("folder:9", {}),
        ("name", {"a": 3, "b": 1}),
        ("name:{class}_*.jpg", {"a": 3, "b": 1}),
        ("name:*_{class}.jpg", {"0": 3, "1": 1}),
        ("unlabelled", {}),
    ],
)
def test_forced_reading(layout: str, classes: dict[str, int]) -> None:
    plan = plan_of(FILES, layout)
    assert plan.classes == classes
    assert plan.unlabelled == 4 - sum(classes.values())
    assert plan.questions == []


def test_forced_table_and_column() -> None:
    files = pictures("#2") | table("m.csv", "file,kind,age\n0.jpg,a,old\n1.jpg,b,old")
    assert plan_of(files, "table:m.csv#age").classes == {"old": 2}
    assert plan_of(files, "table:m.csv#kind").classes == {"a": 1, "b": 1}
    for wrong in ("table:none.csv", "table:m.csv#none"):
        with pytest.raises(BadLayout, match="There is no table"):
            plan_of(files, wrong)


def test_given_splits_can_be_dealt_anew() -> None:
    files = pictures("train/cat/#2", "test/cat/#2", "test/dog/#1")
    assert plan_of(files, "first,deal").splits == {"training": 0, "validation": 0, "test": 0}


CLIPS = pictures("cat/monday/a1_#2", "cat/monday/b1_#2", "dog/tuesday/a1_#2", "dog/tuesday/c1_#2")


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        ("", {"cat/monday": 4, "dog/tuesday": 4}),
        ("folder:1", {"cat": 4, "dog": 4}),
        ("folder:2", {"monday": 4, "tuesday": 4}),
        ("folder:3", {}),
        ("{group}_*", {"a1": 4, "b1": 2, "c1": 2}),
        ("none", {}),
    ],
)
def test_groups_are_those_of_a_chosen_folder_or_pattern(groups: str, found: dict[str, int]) -> None:
    plan = plan_of(CLIPS, f"first,groups={groups}" if groups else "first")
    assert Counter(verdict.group for verdict in plan.verdicts if verdict.group) == found
    assert plan.layout.groups == groups
    assert plan_of(CLIPS, str(plan.layout)).verdicts == plan.verdicts
    told = [sentence for sentence in plan.warnings if "group" in sentence]
    assert bool(told) == (groups != "none")
