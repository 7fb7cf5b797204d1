"""Tell a plan of a layout in a terminal, and ask there what is doubtful."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from django.core.management.base import CommandError

from ml.datasets.archives import ArchiveRejected, Opened
from ml.datasets.plan import Option, Plan, Question
from ml.datasets.readings import BadLayout, Layout, combine

_SHOWN = 20  # classes


def open_or_fail(open_path: Callable[[Layout], Opened], path: Path, layout: Layout) -> Opened:
    """List and plan a path, turning what is wrong with it into a `CommandError`."""
    try:
        return open_path(layout)
    except (ArchiveRejected, BadLayout) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None


def describe_plan(plan: Plan) -> Iterator[str]:
    """Yield the plan in lines for people."""
    for name, count in list(plan.classes.items())[:_SHOWN]:
        yield f"class {name}: {count:,}"
    if len(plan.classes) > _SHOWN:
        yield f"and {len(plan.classes) - _SHOWN} more classes"
    for split, count in plan.splits.items():
        if count:
            yield f"given for {split}: {count:,}"
    for left in plan.left_out:
        examples = f" ({', '.join(left.examples)})" if left.examples else ""
        yield f"left out: {left.count:,}{examples}. {left.reason}"
    yield from (f"note: {sentence}" for sentence in plan.warnings)


def can_ask() -> bool:
    """Return whether somebody sits at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def answer_questions(plan: Plan, layout: Layout, write: Callable[[str], object]) -> Layout:
    """Ask all questions of a plan at the terminal, and return the layout that the answers are."""
    answers = [str(layout)]
    for question in plan.questions:
        write(question.text)
        for number, option in enumerate(question.options, 1):
            write(f"  {number}. {describe_option(option)}")
        answers.append(_ask_for_one(question).layout)
    return combine(answers)


def _ask_for_one(question: Question) -> Option:
    while True:
        try:
            answer = input(f"Which one (1 to {len(question.options)}, nothing to stop)? ").strip()
        except EOFError:
            answer = ""
        if not answer:
            raise CommandError("Nothing was stored.")
        if answer.isdigit() and 0 < int(answer) <= len(question.options):
            return question.options[int(answer) - 1]


def describe_option(option: Option) -> str:
    """Return an option with the classes that it gives."""
    classes = ", ".join(f"{name} {count:,}" for name, count in list(option.classes.items())[:6])
    return f"{option.title}{f': {classes}' if classes else ''}"


def refuse(plan: Plan) -> CommandError:
    """Return the error for a doubtful layout where nobody can be asked, which names the values to choose from."""
    lines = ["It is doubtful how this is to be read, so nothing was stored. Say it with --layout:"]
    for question in plan.questions:
        lines.append(question.text)
        lines += [f"  --layout '{option.layout}'  {describe_option(option)}" for option in question.options]
    return CommandError("\n".join(lines))
