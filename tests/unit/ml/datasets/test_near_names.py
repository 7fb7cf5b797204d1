"""Names that people may have meant as the same one are found, and others are not."""

import pytest

from ml.datasets.class_names import find_near


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cat", "Cat"),
        ("cat", "cats"),
        ("box", "boxes"),
        ("apple", "apples"),
        ("cherry", "cherries"),
        ("cat", "c\u200bat"),
        ("cat", "ｃａｔ"),
        ("cat", "саt"),  # with Cyrillic letters
        ("golden retriever", "golden_retriever"),
        ("golden retriever", "goldn retreiver"),
        ("banana", "bananna"),
    ],
)
def test_near(one: str, other: str) -> None:
    assert find_near(one, [other]) == [other]
    assert find_near(other, [one]) == [one]


@pytest.mark.parametrize(
    ("one", "other"),
    [("cat", "car"), ("class 1", "class 2"), ("left", "right"), ("stage 10", "stage 11"), ("good", "bad"), ("a", "b")],
)
def test_different(one: str, other: str) -> None:
    assert find_near(one, [other]) == []
