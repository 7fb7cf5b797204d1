"""The quality gate of a project: what a version must reach to become live without a person saying so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from classifier.models import ModelVersion, Project
from classifier.percentages import as_percent
from classifier.selectors import class_names, live_version
from classifier.services.datasets import load_dataset
from classifier.services.version_comparison import Verdict, answers_of_version, judge_answers
from ml.errors import UserError
from ml.training.evaluation import best_estimate

Compare = Callable[[ModelVersion], Verdict]


@dataclass(frozen=True)
class Condition:
    """A condition of the gate, and whether it holds.

    Attributes:
        name: of the project's setting.
        wanted: what it asks for, in words.
        found: what was found, in a sentence with its figures.
    """

    name: str
    wanted: str
    passed: bool
    found: str


def check_version(version: ModelVersion) -> list[Condition]:
    """Hold a version against each condition that its project has. Raise OSError where files cannot be read now."""

    def compare(live: ModelVersion) -> Verdict:
        groups = load_dataset(version.dataset_version).groups
        return judge_answers(answers_of_version(live), answers_of_version(version), groups)

    live = live_version(version.project)
    return check_metrics(
        version.project, version.metrics, class_names(version), compare, None if live == version else live
    )


def check_metrics(
    project: Project, metrics: Mapping[str, Any], names: list[str], compare: Compare, live: ModelVersion | None
) -> list[Condition]:
    """Hold metrics, with the names of the classes, against each condition; `compare` compares with the live version."""
    found = []
    if project.least_accuracy is not None:
        found.append(_check_accuracy(project.least_accuracy, metrics))
    if project.least_recall is not None:
        found.append(_check_recall(project.least_recall, metrics, names))
    if project.not_worse:
        found.append(_check_not_worse(compare, live))
    return found


def list_failures(conditions: list[Condition]) -> list[str]:
    """Return a sentence for each condition that does not hold."""
    return [f"{one.wanted}: {one.found}" for one in conditions if not one.passed]


def has_gate(project: Project) -> bool:
    """Return whether the project has any condition."""
    return project.least_accuracy is not None or project.least_recall is not None or project.not_worse


def _check_accuracy(least: int, metrics: Mapping[str, Any]) -> Condition:
    found, wanted = best_estimate(metrics), f"Accuracy of at least {least} %"
    if found.accuracy is None:
        return Condition("least_accuracy", wanted, False, "it is not known, for want of test pictures.")
    how = "cross-validated" if found.by == "cross_validation" else "test"
    said = f"it is {as_percent(found.accuracy)} of {found.n:,} {how} pictures."
    return Condition("least_accuracy", wanted, 100 * found.accuracy >= least, said)


def _check_recall(least: int, metrics: Mapping[str, Any], names: list[str]) -> Condition:
    wanted = f"Recall of at least {least} % in each class"
    recalls = [(name, one["recall"], one["n"]) for name, one in zip(names, metrics["per_class"], strict=True)]
    unknown = [name for name, recall, _ in recalls if recall is None]
    low = sorted((recall, name, n) for name, recall, n in recalls if recall is not None and 100 * recall < least)
    said = [f"“{name}” has {as_percent(recall)} of {n:,}" for recall, name, n in low]
    said += [f"“{name}” has no test pictures" for name in unknown]
    if said:
        return Condition("least_recall", wanted, False, f"{_shorten(said)}.")
    lowest, name, _ = min((recall, name, n) for name, recall, n in recalls if recall is not None)
    return Condition("least_recall", wanted, True, f"the lowest is {as_percent(lowest)}, of “{name}”.")


def _shorten(said: list[str], most: int = 5) -> str:
    more = f"; and {len(said) - most} more" if len(said) > most else ""
    return "; ".join(said[:most]) + more


def _check_not_worse(compare: Compare, live: ModelVersion | None) -> Condition:
    name, wanted = "not_worse", "Not clearly worse than the live version"
    if live is None:
        return Condition(name, wanted, True, "there is no other live version.")
    wanted = f"Not clearly worse than version {live.number}, which is live"
    try:
        verdict = compare(live)
    except UserError as error:
        return Condition(name, wanted, False, f"they cannot be compared. {error}")
    tell = "one picture tells" if verdict.differing == 1 else f"{verdict.differing:,} pictures tell"
    told = f"{tell} them apart"
    if verdict.better == "before":
        return Condition(
            name,
            wanted,
            False,
            f"it is worse; {told}, and chance alone does that in {_percent(verdict.p)} of comparisons.",
        )
    said = {"after": "it is better", "": "there is no clear difference", None: "there are too few pictures to tell"}
    return Condition(name, wanted, True, f"{said[verdict.better]}; {told}.")


def _percent(p: float) -> str:
    return as_percent(p) if p >= 0.001 else "less than 0.1 %"
