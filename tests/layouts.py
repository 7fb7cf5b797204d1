"""Layouts made in code, what is expected of their plans, and the checks that hold for every plan."""

from collections.abc import Callable
from typing import NamedTuple

from ml.datasets.entries import DEFAULT_LIMITS, Survey
from ml.datasets.evidence import Listing
from ml.datasets.plan import Plan
from ml.datasets.planner import make_plan
from ml.datasets.readings import parse_layout

Files = dict[str, bytes]
TRAIN, VAL, TEST = "training", "validation", "test"


def pictures(*patterns: str) -> Files:
    """Make files from patterns such as `cat/#3`, which is three pictures."""
    files: Files = {}
    for pattern in patterns:
        stem, _, count = pattern.rpartition("#")
        files |= {f"{stem}{number}.jpg": b"" for number in range(int(count or 1))}
    return files


def table(name: str, text: str) -> Files:
    return {name: text.encode()}


def plan_of(files: Files, layout: str = "auto") -> Plan:
    survey = Survey(DEFAULT_LIMITS)
    kept = [name for name, data in files.items() if survey.add(name, None, len(data))]
    return make_plan(Listing(survey.members, lambda place: files[kept[place]], survey.litter), parse_layout(layout))


class Case(NamedTuple):
    name: str
    files: Files
    classes: dict[str, int]
    splits: dict[str, int] = {}
    unlabelled: int = 0
    left_out: int = 0
    asks: tuple[str, ...] = ()  # the keys of the questions


def rows(header: str, count: int, line: Callable[[int], str]) -> str:
    return "\n".join([header, *(line(number) for number in range(count))])


def check_plan(case: Case) -> None:
    """Check that the plan is the expected one, and accounts for every file."""
    plan = plan_of(case.files)
    assert plan.classes == case.classes, plan.describe_fully()
    assert {split: count for split, count in plan.splits.items() if count} == {
        s: n for s, n in case.splits.items() if n
    }
    assert plan.unlabelled == case.unlabelled
    assert sum(left.count for left in plan.left_out) == case.left_out, plan.left_out
    assert tuple(question.key for question in plan.questions) == case.asks, plan.questions
    verdicts = [*plan.verdicts, *plan.web.values()]
    left_out = sum(verdict.reason is not None for verdict in verdicts)
    assert len(verdicts) == sum(plan.classes.values()) + plan.unlabelled + left_out


def check_answers(case: Case) -> None:
    """Check that each option of a question is a reading that gives what it promises, and is not asked about again."""
    for question in plan_of(case.files).questions:
        assert question.options
        for option in question.options:
            plan = plan_of(case.files, option.layout)
            assert question.key not in [asked.key for asked in plan.questions]
            assert plan.classes == option.classes


def check_again(case: Case) -> None:
    """Check that the reading that was chosen gives the same plan when it is asked for."""
    plan = plan_of(case.files)
    assert plan_of(case.files, str(plan.layout)).verdicts == plan.verdicts
