"""two model versions -> what the second answers better and worse, on the pictures that both were tested on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from classifier.models import ModelVersion
from classifier.selectors import class_names
from classifier.services.artifacts import load_evaluation
from classifier.services.dataset_comparison import KINDS, compare_states, state_of_version
from classifier.services.datasets import load_dataset
from ml.datasets.splits import TEST
from ml.evaluation.mcnemar import CERTAIN, least_p, mcnemar
from ml.evaluation.scores import ratio
from ml.training.artifacts import Evaluation
from ml.training.config import describe_config


class Answer(NamedTuple):
    """What a version says of a test picture; classes are ids."""

    true: int
    predicted: int
    probability: float

    @property
    def right(self) -> bool:
        return self.true == self.predicted


Answers = Mapping[str, Answer]  # by the sha256 of the picture

BACKBONE = "Backbone"  # the label of this setting, whose value is a name


@dataclass(frozen=True)
class Change:
    """A picture on which one of the two versions is right."""

    sha256: str
    before: Answer
    after: Answer


@dataclass(frozen=True)
class Verdict:
    """What McNemar's exact test says.

    Attributes:
        better: "before", "after", "" where there is no difference that chance would not make, None where pictures are
            too few to tell, whatever they say.
        p: how often chance alone makes such a difference between two that are equally good.
    """

    better: str | None
    p: float
    differing: int


@dataclass(frozen=True)
class ClassChange:
    name: str
    n: int
    before: int  # right
    after: int

    @property
    def change(self) -> float | None:
        """Return by how much the recall has changed."""
        return ratio(self.after - self.before, self.n)


@dataclass(frozen=True)
class Setting:
    label: str
    before: str
    after: str


@dataclass(frozen=True)
class VersionComparison:
    """What differs between two versions.

    Attributes:
        n: the pictures that both were tested on, with the same class.
        hits_before, hits_after: how many of them each classifies correctly.
        fixed, broken: on which only the second, or only the first, is right; the surest mistakes first.
        left_out: test pictures of one that were not in the other's test.
        trained_on: how many of those the other was trained on or chosen by, which makes it look better on them.
        relabelled: pictures in both tests whose class has changed; they are left out.
        data: how many pictures came, went, moved or changed their split, by the names of dataset comparisons.
    """

    n: int
    hits_before: int
    hits_after: int
    fixed: list[Change]
    broken: list[Change]
    verdict: Verdict
    left_out: int
    trained_on: int
    relabelled: int
    classes: list[ClassChange]
    settings: list[Setting]
    data: dict[str, int]


def compare_versions(before: ModelVersion, after: ModelVersion) -> VersionComparison:
    """Compare two versions of a project. Raise ArtifactCorrupt, DatasetCorrupt, OSError."""
    first, second = answers_of_version(before), answers_of_version(after)
    changes, fixed, broken = _list_changes(first, second)
    shared = first.keys() & second.keys()
    alone = first.keys() ^ second.keys()
    return VersionComparison(
        n=len(changes),
        hits_before=sum(one.before.right for one in changes),
        hits_after=sum(one.after.right for one in changes),
        fixed=sorted(fixed, key=lambda one: -one.before.probability),
        broken=sorted(broken, key=lambda one: -one.after.probability),
        verdict=_judge(fixed, broken, load_dataset(after.dataset_version).groups),
        left_out=len(alone),
        trained_on=_count_trained(before, second.keys() - first.keys())
        + _count_trained(after, first.keys() - second.keys()),
        relabelled=len(shared) - len(changes),
        classes=_class_changes(after, changes),
        settings=compare_settings(before, after),
        data=_compare_data(before, after),
    )


def _list_changes(first: Answers, second: Answers) -> tuple[list[Change], list[Change], list[Change]]:
    """Return what both say of each picture that both were tested on with the same class; what is fixed; what broken."""
    shared = sorted(first.keys() & second.keys())
    changes = [
        Change(sha256, first[sha256], second[sha256]) for sha256 in shared if first[sha256].true == second[sha256].true
    ]
    fixed = [one for one in changes if one.after.right and not one.before.right]
    broken = [one for one in changes if one.before.right and not one.after.right]
    return changes, fixed, broken


def judge_answers(first: Answers, second: Answers, groups: Mapping[str, str]) -> Verdict:
    """Say which of two is better on the pictures that both were tested on; `groups` are those of the second."""
    _, fixed, broken = _list_changes(first, second)
    return _judge(fixed, broken, groups)


def answers_of_version(version: ModelVersion) -> Answers:
    """Return a version's answers to its test pictures. Raise ArtifactCorrupt, OSError."""
    return read_answers(load_evaluation(version.artifact_digest), [pk for pk, _ in version.dataset_version.classes])


def read_answers(found: Evaluation, classes: Sequence[int]) -> Answers:
    """Return the answers to the test pictures, by sha256; `classes` are their ids."""
    predicted = found.probabilities.argmax(axis=1).tolist() if len(found.labels) else []
    confidence = found.probabilities.max(axis=1, initial=0).tolist()
    rows = zip(found.sha256s, found.labels.tolist(), predicted, confidence, strict=True)
    return {sha256: Answer(classes[true], classes[taken], sure) for sha256, true, taken, sure in rows}


def _judge(fixed: list[Change], broken: list[Change], groups: Mapping[str, str]) -> Verdict:
    """Test whether there is a difference. Pictures that show the same thing count as one."""
    votes: Counter[str] = Counter()
    for sign, changes in ((1, fixed), (-1, broken)):
        for one in changes:
            votes[groups.get(one.sha256, one.sha256)] += sign
    for_after, for_before = sum(vote > 0 for vote in votes.values()), sum(vote < 0 for vote in votes.values())
    p, differing = mcnemar(for_after, for_before), for_after + for_before
    if least_p(differing) > CERTAIN:
        return Verdict(None, p, differing)
    return Verdict(("after" if for_after > for_before else "before") if p <= CERTAIN else "", p, differing)


def _count_trained(version: ModelVersion, sha256s: set[str]) -> int:
    """Count those of the pictures that the version was trained on or chosen by."""
    rows = load_dataset(version.dataset_version).rows
    return sum(sha256 in sha256s for sha256, _, split in rows if split != TEST)


def _class_changes(version: ModelVersion, changes: list[Change]) -> list[ClassChange]:
    names = dict(zip((pk for pk, _ in version.dataset_version.classes), class_names(version), strict=True))
    sizes = Counter(one.after.true for one in changes)
    before = Counter(one.before.true for one in changes if one.before.right)
    after = Counter(one.after.true for one in changes if one.after.right)
    return [ClassChange(name, sizes[pk], before[pk], after[pk]) for pk, name in names.items() if sizes[pk]]


def compare_settings(before: ModelVersion, after: ModelVersion) -> list[Setting]:
    """List the settings in which two trainings differ."""
    first, second = (_settings_of(version) for version in (before, after))
    labels = dict.fromkeys([*first, *second])
    return [
        Setting(label, first.get(label, "–"), second.get(label, "–"))
        for label in labels
        if first.get(label) != second.get(label)
    ]


def _settings_of(version: ModelVersion) -> dict[str, str]:
    said = {BACKBONE: version.backbone, "Recipe": str(version.config.get("recipe", ""))}
    if "source" in version.config:
        return said | {"Imported from": str(version.config["source"])}
    return said | dict(describe_config(version.config))


def _compare_data(before: ModelVersion, after: ModelVersion) -> dict[str, int]:
    if before.dataset_version_id == after.dataset_version_id:
        return dict.fromkeys(KINDS, 0)
    found = compare_states(state_of_version(before.dataset_version), state_of_version(after.dataset_version))
    return {kind: len(getattr(found, kind)) for kind in KINDS}
