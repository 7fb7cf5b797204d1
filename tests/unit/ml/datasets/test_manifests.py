"""The manifest of a download gives classes, splits, groups and names back as they were."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.datasets.cells import plain_cell, protect_cell
from ml.datasets.entries import DEFAULT_LIMITS, Survey
from ml.datasets.evidence import Listing
from ml.datasets.manifests import COLUMNS
from ml.datasets.plan import Plan, Verdict
from ml.datasets.planner import make_plan
from ml.datasets.readings import parse_layout


def line(file: str, label: str = "", split: str = "", group: str = "", name: str = "") -> list[str]:
    return [file, label, split, group, "0" * 64, "8", "8", "owner", "2026-01-01T00:00:00+00:00", name]


def write(rows: list[list[str]], columns: tuple[str, ...] = COLUMNS) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([columns, *([protect_cell(cell) for cell in row] for row in rows)])
    return text.getvalue().encode()


def plan_of(manifest: bytes, *names: str, layout: str = "auto", beside: str = "") -> Plan:
    survey = Survey(DEFAULT_LIMITS)
    for name in (*names, f"{beside}manifest.csv"):
        survey.add(name, None, len(manifest))
    return make_plan(Listing(survey.members, lambda place: manifest), parse_layout(layout))


def test_gives_what_folders_cannot_say() -> None:
    rows = [
        line("training/test/1.jpg", "test", "training", "clip 7", "photos/../1.jpg"),
        line("test/a_b/1.jpg", "a/b", "test", "", "1.jpg"),
        line("test/cat/1.jpg", "cat|dog", "test", "", "=1+2.jpg"),
        line("unlabelled/1.jpg", "", "", "", "x.jpg"),
    ]
    plan = plan_of(write(rows), *(row[0] for row in rows))
    assert plan.verdicts[:4] == [
        Verdict("test", "training", "clip 7", None, "photos/../1.jpg"),
        Verdict("a/b", "test", "", None, "1.jpg"),
        Verdict("cat|dog", "test", "", None, "=1+2.jpg"),
        Verdict(None, "", "", None, "x.jpg"),
    ]
    assert (plan.questions, plan.left_out, plan.unlabelled) == ([], [], 1)


def test_is_found_in_a_folder_and_in_names_that_were_taken_apart() -> None:
    plan = plan_of(write([line("Käse/1.jpg", "Käse")]), "got/Ka\u0308se/1.jpg", beside="got/")
    assert plan.classes == {"Käse": 1}


def test_pictures_that_were_added_are_like_those_beside_them() -> None:
    manifest = write([line("training/cat/1.jpg", "cat!", "training", "clip")])
    plan = plan_of(manifest, "training/cat/1.jpg", "training/cat/2.jpg", "more/3.jpg")
    assert plan.verdicts[1:3] == [Verdict("cat!", "training"), Verdict()]
    assert "Pictures that “manifest.csv” does not name, in no folder that it names: 1." in plan.warnings


def test_tells_what_is_missing() -> None:
    plan = plan_of(write([line("cat/1.jpg", "cat"), line("cat/2.jpg", "cat")]), "cat/1.jpg")
    assert [(left.count, left.examples) for left in plan.left_out] == [(1, ["cat/2.jpg"])]


def test_group_of_the_same_photo_stays_together_under_another_name() -> None:
    plan = plan_of(write([line("cat/1.jpg", "cat", "", "same photo as 12")]), "cat/1.jpg")
    assert plan.verdicts[0].group == "copies of picture 12"


@pytest.mark.parametrize("layout", ["auto,deal", "auto,groups=none"])
def test_what_was_decided_is_kept(layout: str) -> None:
    plan = plan_of(write([line("test/cat/1.jpg", "cat", "test", "clip")]), "test/cat/1.jpg", layout=layout)
    verdict = plan.verdicts[0]
    assert (verdict.split, verdict.group) == (("", "clip") if "deal" in layout else ("test", ""))


@pytest.mark.parametrize(
    "manifest",
    [b"", b'"', b"file,label\ncat/1.jpg,dog", write([line("cat/1.jpg", "dog")], columns=tuple(reversed(COLUMNS)))],
)
def test_other_tables_are_none(manifest: bytes) -> None:
    warnings = plan_of(manifest, "cat/1.jpg").warnings
    assert not any("Classes, splits and groups" in sentence for sentence in warnings)


@pytest.mark.parametrize("label", ["a" * 201, "a\x00b", "\x07", " cat "])
def test_label_that_no_class_can_have_is_cleaned_or_refused(label: str) -> None:
    verdict = plan_of(write([line("cat/1.jpg", label)]), "cat/1.jpg").verdicts[0]
    assert verdict.reason or verdict.class_name in ("cat", "a\x00b", "\x07")


@given(st.text(max_size=5))
def test_cells_are_read_as_they_were(text: str) -> None:
    assert plain_cell(protect_cell(text)) == text
    assert not protect_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))
