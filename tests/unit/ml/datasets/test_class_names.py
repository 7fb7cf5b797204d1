"""Test that class names are what people see, and which ones people would take for the same."""

import pytest

from ml.datasets.class_names import BadClassName, clean_label, find_twins


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        *(
            (" cat ", "cat"),
            ("Blu\u0308ten", "Blüten"),
            ("cat\u200b", "cat"),
            ("\ufeffcat", "cat"),
            ("c\u00adat", "cat"),
        ),
        *(("ca\u200dt", "cat"), ("\u202etac", "cat"), ("a \u202etac\u202c b", "a cat b"), ("\u2066dog\u2069", "dog")),
        *(("می\u200cخواهم", "می\u200cخواهم"), ("👩\u200d🚀", "👩\u200d🚀"), ("क्\u200dष", "क्\u200dष")),
    ],
)
def test_clean_label_is_what_people_see(name: str, seen: str) -> None:
    assert clean_label(name) == seen
    assert clean_label(seen) == seen


@pytest.mark.parametrize(
    ("name", "says"), [("", "empty"), (" \u200b", "empty"), ("x" * 201, "longer"), ("\udcff", "not valid")]
)
def test_clean_label_refuses(name: str, says: str) -> None:
    with pytest.raises(BadClassName, match=says):
        clean_label(name)


@pytest.mark.parametrize(
    "names", [["Cat", "cat"], ["cat", "ｃａｔ"], ["cat", "сat"], ["ﬁsh", "fish"], ["α", "a"], ["a b", "a  b"]]
)
def test_twins_are_found(names: list[str]) -> None:
    assert find_twins([*names, "dog"]) == [sorted(names)]


def test_different_names_are_no_twins() -> None:
    assert find_twins(["cat", "cats", "kat", "schön", "schon", "猫", "貓", "1", "l"]) == []
