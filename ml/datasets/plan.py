"""Represent what was understood of a layout: the plan, which people see before anything is stored."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ml.datasets.readings import Layout
from ml.datasets.splits import SPLITS

NOT_A_PICTURE = "It is not a picture."
USED = "It says what the pictures are."  # such a file is neither taken in nor left out
LITTER = "Left behind by a system or a program."
_EXAMPLES = 3
_SHOWN_CLASSES = 12  # of another reading


class Verdict(NamedTuple):
    """What becomes of a file: a class, none (it is unlabelled), or the reason why it is left out. JSON can carry it."""

    class_name: str | None = None
    split: str = ""  # given by a folder or a table
    group: str = ""  # of pictures that belong together, such as those of one day
    reason: str | None = None
    file_name: str = ""  # that it had when it came, where a manifest tells


@dataclass
class LeftOut:
    """Files that are left out for one reason."""

    reason: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(name)


@dataclass(frozen=True)
class Option:
    """One of the readings that a question offers, with the classes that it gives."""

    layout: str
    title: str
    classes: dict[str, int]


@dataclass(frozen=True)
class Question:
    """What is doubtful. `key` says what it is about: layout, alike, splits or encoding."""

    key: str
    text: str
    options: list[Option]


@dataclass
class Plan:
    """What was understood of all files: one verdict for each, in their order, and what people should know.

    Attributes:
        layout: the reading that was chosen, which gives the same plan without a question.
        web: the pictures at addresses of the web, which are counted with the others and are fetched after them.
    """

    layout: Layout
    verdicts: list[Verdict]
    classes: dict[str, int]
    splits: dict[str, int]
    unlabelled: int
    left_out: list[LeftOut]
    warnings: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    web: dict[str, Verdict] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Return the plan as the command, the API and the site's job tell it."""
        return {
            "classes": self.classes,
            "splits": self.splits,
            "unlabelled": self.unlabelled,
            "left_out": [vars(left) for left in self.left_out],
            "questions": [describe_question(question) for question in self.questions],
        }

    def describe_fully(self) -> dict[str, Any]:
        return {**self.describe(), "layout": str(self.layout), "warnings": self.warnings}


def describe_question(question: Question) -> dict[str, Any]:
    return {"key": question.key, "question": question.text, "options": [vars(option) for option in question.options]}


def show_some(classes: dict[str, int]) -> dict[str, int]:
    """Return the first classes of a reading, as many as people look at."""
    return dict(list(classes.items())[:_SHOWN_CLASSES])


def count_classes(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Count the pictures of each class, by name."""
    counts: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.class_name is not None:
            counts[verdict.class_name] = counts.get(verdict.class_name, 0) + 1
    return dict(sorted(counts.items()))


def count_splits(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Count the pictures with a class in each split that was given."""
    counts = dict.fromkeys(SPLITS, 0)
    for verdict in verdicts:
        if verdict.split and verdict.class_name is not None:
            counts[verdict.split] += 1
    return counts


def collect_left_out(named: Iterator[tuple[str, Verdict]], litter: int, extra: list[LeftOut]) -> list[LeftOut]:
    """Collect the files that are left out by their reasons, those of most files first, litter last.

    Those that were used to make the plan are not left out.
    """
    found: dict[str, LeftOut] = {}
    for name, verdict in named:
        if verdict.reason is not None and verdict.reason != USED:
            found.setdefault(verdict.reason, LeftOut(verdict.reason)).add(name)
    ordered = sorted([*found.values(), *extra], key=lambda left: -left.count)
    return [*ordered, LeftOut(LITTER, litter)] if litter else ordered
