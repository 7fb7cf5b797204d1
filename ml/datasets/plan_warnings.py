"""Say in sentences what people should know of a plan."""

from collections import Counter

from ml.datasets import readings
from ml.datasets.class_names import has_invisible
from ml.datasets.evidence import Evidence
from ml.datasets.file_names import shows_something
from ml.datasets.plan import Plan
from ml.datasets.splits import TRAINING

_MOST_NAMED = 5  # classes in a sentence


def list_warnings(evidence: Evidence, plan: Plan) -> list[str]:
    """Return the sentences about a plan, but for those on the choice of its reading."""
    return [
        sentence
        for sentence in (
            *describe_result(plan),
            _warn_of_invisible(evidence),
            *(f"The column “{name}” has no splits that are known." for name in evidence.tables.unread_splits),
            *(f"“{name}” names none of the pictures." for name in _useless_tables(evidence, plan)),
        )
        if sentence
    ]


def describe_result(plan: Plan) -> list[str]:
    """Return the sentences about what a plan gives, however it was found."""
    sentences = (
        _warn_of_single_pictures(plan),
        _warn_of_splits(plan),
        _tell_of_groups(plan),
        _tell_of_the_web(plan),
        _warn_of_unlabelled(plan),
    )
    return [sentence for sentence in sentences if sentence]


def list_names(names: list[str]) -> str:
    """Return the first names in quotes, and how many more there are."""
    shown = ", ".join(f"“{name}”" for name in names[:_MOST_NAMED])
    return f"{shown} and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else shown


def _warn_of_single_pictures(plan: Plan) -> str:
    single = [name for name, count in plan.classes.items() if count == 1]
    if not single:
        return ""
    if len(single) == 1:
        return f"The class {list_names(single)} has only one picture."
    return f"The classes {list_names(single)} have only one picture each."


def _warn_of_invisible(evidence: Evidence) -> str:
    odd = sorted({name for folders in evidence.counts for name in folders if has_invisible(name)})
    return f"Characters that nobody sees were taken out of {len(odd)} folder name{'s'[: len(odd) - 1]}." if odd else ""


def _warn_of_splits(plan: Plan) -> str:
    given = {split: count for split, count in plan.splits.items() if count}
    if not given:
        return ""
    said = ", ".join(f"{count:,} for {split}" for split, count in given.items())
    missing = [split for split in plan.splits if not plan.splits[split]]
    if TRAINING in given and missing:
        wanted = " and ".join(missing)
        return f"The splits given are kept ({said}); those for {wanted} are chosen among the ones for training."
    return f"The splits given are kept: {said}."


def _tell_of_groups(plan: Plan) -> str:
    verdicts = (*plan.verdicts, *plan.web.values())
    groups = Counter(verdict.group for verdict in verdicts if verdict.group and verdict.reason is None)
    if not groups:
        return (
            "No picture is in a group that was asked for." if plan.layout.groups not in ("", readings.NO_GROUPS) else ""
        )
    number, names = sum(groups.values()), list_names(sorted(groups)[:2])
    return (
        f"{number:,} pictures are in {len(groups):,} group{'s'[: len(groups) - 1]} of the same thing, such as {names};"
        " a group is never dealt into two splits."
    )


def _tell_of_the_web(plan: Plan) -> str:
    wanted = [address for address, verdict in plan.web.items() if verdict.reason is None]
    if not wanted:
        return ""
    one = len(wanted) == 1
    return f"{len(wanted):,} picture{' is' if one else 's are'} fetched from the web, such as {wanted[0][:200]}"


def _warn_of_unlabelled(plan: Plan) -> str:
    if not plan.unlabelled:
        return ""
    return f"{plan.unlabelled:,} picture{'s' if plan.unlabelled > 1 else ''} without a class."


def _useless_tables(evidence: Evidence, plan: Plan) -> list[str]:
    """List the tables that name none of the pictures, if folders do not say all."""
    named = (
        evidence.tables.useless if plan.layout.reading in (readings.NAME, readings.UNLABELLED, readings.TABLE) else []
    )
    return [name for name in named if not shows_something(name)][:_MOST_NAMED]
