"""Test what holds for every plan, whatever the folders, names and tables are."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ml.datasets.plan import Plan
from ml.datasets.readings import BadLayout, combine
from ml.datasets.vocabulary import is_generic, split_of
from tests.layouts import Files, plan_of

PARTS = st.sampled_from(
    [
        *("train", "test", "val", "images", "data", "ground_truth", "masks", "labels", "unlabeled", "unknown"),
        *(
            "cat",
            "dog",
            "Cat",
            "ｃａｔ",
            "cat\u200b",
            "circle_train",
            "circle_test",
            "square_train",
            "monday",
            "session1",
        ),
        *("2023-01-02", "0", "1", "@eaDir", "thumbs", "..", " ", "x" * 201, "\udcff", "seg_test", "seg_train"),
    ]
)
NAMES = st.sampled_from(
    [
        *("1.jpg", "2.jpg", "cat.0.jpg", "dog.0.jpg", "cat_1.jpg", "IMG_1.JPG", "a-!-0.jpg", "notes.md", "a.zip", "b"),
        *("labels.csv", "train.txt", "m.json", "annotations.xml", "classes.txt", "sample_submission.csv"),
    ]
)
CONTENTS = st.sampled_from(
    [
        *(
            b"",
            b"file,label\n1.jpg,cat\n2.jpg,dog\n",
            b"filename,cat,dog\n1.jpg,1,0\n2.jpg,1,1\n",
            b"1.jpg 0\n2.jpg 1\n",
        ),
        *(
            b"cat\ndog\n",
            b'{"1.jpg": "cat"}',
            b'{"train": ["1.jpg"], "test": ["2.jpg"]}',
            b"\xff\xfe\x00",
            b"[",
            b"a,b\n1,2\n",
        ),
        *(b"https://example.org/1.jpg,cat\n", b'[{"image": "1.jpg", "label": ["a", "b"], "split": "test"}]'),
        b'<annotations><image name="1.jpg"><tag label="cat"/></image></annotations>',
    ]
)
PATHS = st.builds(lambda folders, name: "/".join([*folders, name]), st.lists(PARTS, max_size=4), NAMES)


def check(plan: Plan) -> None:
    verdicts = [*plan.verdicts, *plan.web.values()]
    left_out = sum(verdict.reason is not None for verdict in verdicts)
    assert len(verdicts) == sum(plan.classes.values()) + plan.unlabelled + left_out
    assert sum(plan.splits.values()) <= sum(plan.classes.values())
    for name in plan.classes:
        assert name == name.strip() != ""
        assert len(name) <= 200


@given(files=st.dictionaries(PATHS, CONTENTS, max_size=10))
@settings(max_examples=300, deadline=None)
def test_any_layout_is_planned_or_asked_about(files: Files) -> None:
    plan = plan_of(files)
    check(plan)
    if not plan.questions:
        assert not [name for name in plan.classes if split_of(name) or is_generic(name)]
    assert plan_of(files, str(plan.layout)).verdicts == plan.verdicts
    for question in plan.questions:
        for option in question.options:
            check(plan_of(files, option.layout))


@given(files=st.dictionaries(PATHS, CONTENTS, max_size=10), data=st.data())
@settings(max_examples=150, deadline=None)
def test_answers_to_all_questions_leave_none(files: Files, data: st.DataObject) -> None:
    layout = "auto"
    for _ in range(4):  # an answer may lead to another question, such as about class names that only it gives
        plan = plan_of(files, layout)
        if not plan.questions:
            return
        answers = [data.draw(st.sampled_from(question.options)).layout for question in plan.questions]
        layout = str(combine([layout, *answers]))
    raise AssertionError(f"It still asks: {plan.questions}")


@given(
    files=st.dictionaries(PATHS, CONTENTS, max_size=10),
    layout=st.sampled_from(["first", "last", "folder:2", "name", "table", "splits"]),
)
@settings(max_examples=150, deadline=None)
def test_any_reading_can_be_forced(files: Files, layout: str) -> None:
    try:
        check(plan_of(files, layout))
    except BadLayout:
        assert layout == "table"
