"""Assign each picture to a split: decided from its sha256, kept forever, stratified, never empty.

Within a class, the pictures without a split are taken in the order of their sha256, which is a shuffle that every
machine agrees on. They fill empty splits first, then the shares of test and validation; the rest is for training. A
picture that has a split keeps it, one that somebody gave as well as one that was dealt.

Pictures of a group go into one split together, also where they are of several classes, and new ones follow those that
are there. A picture without a group is one of its own. A class of fewer than three groups cannot be in all splits: of
two the larger is for training and the other for test, and a single one is for training, so that nothing of it is left
to be tested on. To deal its pictures one by one would let the test ask for what was learnt by heart.

Who gives pictures for training but none for validation or for test leaves the rest to be chosen: while nothing has been
dealt in such a class, what is missing is dealt from those for training, and what is given for test is the whole test.

The one other exception is a class of three or more pictures that would still have an empty split that its groups could
fill, for instance because its only test picture was deleted and no new one was added: then one of its groups moves, out
of training where possible, unless other classes have pictures of it.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

TRAINING, VALIDATION, TEST = "training", "validation", "test"
SPLITS = (TRAINING, VALIDATION, TEST)
SMALLEST_CLASS = 3  # one picture for each split
_LOOK_AHEAD = 50  # units among which one is looked for that fits


@dataclass(frozen=True)
class SplitSample:
    """A picture of one project.

    Attributes:
        split: "" as long as none has been decided.
        is_given: whether the split came with the picture.
        group: of pictures that belong together; "" of one that belongs to none.
    """

    sha256: str
    class_id: int
    split: str = ""
    is_given: bool = False
    group: str = ""


@dataclass
class _Unit:
    """Pictures of a class that go into one split together: those of a group, or a single one."""

    members: list[SplitSample]
    split: str = ""

    @property
    def size(self) -> int:
        return len(self.members)

    @property
    def group(self) -> str:
        return self.members[0].group

    @property
    def is_for_training(self) -> bool:
        """Return whether none of its pictures was given for anything else."""
        return {sample.split for sample in self.members} - {""} == {TRAINING}


def assign_splits(
    samples: Iterable[SplitSample], *, validation_percentage: int = 10, testing_percentage: int = 10
) -> dict[str, str]:
    """Return the splits to store as sha256 -> split, only for pictures whose split is new or must change.

    Args:
        samples: the pictures, each sha256 once.
        validation_percentage, testing_percentage: the shares of each class, together at most 100.
    """
    by_class: dict[int, list[SplitSample]] = {}
    for sample in sorted(samples, key=lambda sample: sample.sha256):
        by_class.setdefault(sample.class_id, []).append(sample)
    groups = _Groups(by_class)
    changes: dict[str, str] = {}
    # A class of few groups has the least choice, so others follow it where they share one.
    for members in sorted(by_class.values(), key=lambda members: len(_by_group(members))):
        changes.update(_assign_class(members, groups, validation_percentage, testing_percentage))
    return changes


class _Groups:
    """What is known of the groups of all classes.

    Attributes:
        shared: those that have pictures of several classes.
        splits: where each is, or where most of its pictures are.
    """

    def __init__(self, by_class: Mapping[int, list[SplitSample]]) -> None:
        classes: dict[str, set[int]] = {}
        counts: dict[str, Counter[str]] = {}
        for sample in (one for members in by_class.values() for one in members if one.group):
            classes.setdefault(sample.group, set()).add(sample.class_id)
            if sample.split:
                counts.setdefault(sample.group, Counter())[sample.split] += 1
        self.shared = {group for group, found in classes.items() if len(found) > 1}
        self.splits = {group: found.most_common(1)[0][0] for group, found in counts.items()}


def _by_group(members: Iterable[SplitSample]) -> dict[str, list[SplitSample]]:
    groups: dict[str, list[SplitSample]] = {}
    for sample in members:
        groups.setdefault(sample.group or sample.sha256, []).append(sample)
    return groups


def _shares(count: int, validation_percentage: int, testing_percentage: int) -> dict[str, int]:
    """Return how many of a class's `count` pictures each split should have, in the order of filling."""
    if count < SMALLEST_CLASS:
        return {TEST: 0, VALIDATION: 0, TRAINING: count}
    test = min(max(1, round(count * testing_percentage / 100)), count - 2)
    validation = min(max(1, round(count * validation_percentage / 100)), count - 1 - test)
    return {TEST: test, VALIDATION: validation, TRAINING: count - test - validation}


def _assign_class(
    members: list[SplitSample], groups: _Groups, validation_percentage: int, testing_percentage: int
) -> dict[str, str]:
    units = _make_units(members, groups)
    shares = _shares(len(members), validation_percentage, testing_percentage)
    if _is_given_in_part(members):
        shares |= {sample.split: 0 for sample in members if sample.split in (TEST, VALIDATION)}  # is enough as it is
        for unit in units:
            unit.split = "" if unit.is_for_training and unit.group not in groups.shared else unit.split
    counts = Counter(sample.split or unit.split for unit in units if unit.split for sample in unit.members)
    wanted = _splits_to_fill(len(members), len(units))
    if len(wanted) == len(SPLITS):
        _deal([unit for unit in units if not unit.split], counts, shares)
    else:
        _deal_few([unit for unit in units if not unit.split], counts, wanted)
    if len(members) >= SMALLEST_CLASS:
        _fill_empty(units, counts, wanted, groups.shared)
    groups.splits |= {unit.group: unit.split for unit in units if unit.group}
    return {
        sample.sha256: unit.split
        for unit in units
        for sample in unit.members
        if sample.split != unit.split and not _stays(sample, unit)
    }


def _splits_to_fill(pictures: int, units: int) -> tuple[str, ...]:
    """Return the splits that a class can be in, the most needed first."""
    if pictures < SMALLEST_CLASS or units == 1:
        return (TRAINING,)
    return (TRAINING, TEST) if units < SMALLEST_CLASS else SPLITS


def _make_units(members: list[SplitSample], groups: _Groups) -> list[_Unit]:
    """Return the groups and single pictures of a class, with the splits that they have."""
    return [_Unit(group, _split_of(group, groups)) for group in _by_group(members).values()]


def _split_of(group: list[SplitSample], groups: _Groups) -> str:
    """Return the split that a group has: where most of its pictures are, or those of another class."""
    known = Counter(sample.split for sample in group if sample.split)
    return known.most_common(1)[0][0] if known else groups.splits.get(group[0].group, "")


def _stays(sample: SplitSample, unit: _Unit) -> bool:
    """Return whether a picture keeps another split than its group has: what was dealt moves only when asked."""
    return bool(sample.split) and any(member.split == unit.split for member in unit.members)


def _is_given_in_part(members: list[SplitSample]) -> bool:
    """Return whether somebody gave pictures for training, but none for another split, and nothing was dealt yet."""
    given = {sample.split for sample in members if sample.split}
    dealt = any(sample.split and not sample.is_given for sample in members)
    return TRAINING in given and len(given) < len(SPLITS) and len(members) >= SMALLEST_CLASS and not dealt


def _deal(units: list[_Unit], counts: Counter[str], shares: dict[str, int]) -> None:
    """Give each unit a split, filling the shares in their order, each with units that do not overfill it."""
    waiting = deque(units)
    while waiting:
        # What is empty comes first: a share filled before it could force an old picture to move there.
        wanted = [name for name in shares if shares[name] and not counts[name]]
        wanted += [name for name in (TEST, VALIDATION) if counts[name] < shares[name]]
        split, unit = next(
            ((name, unit) for name in wanted if (unit := _find_fitting(waiting, shares[name] - counts[name]))),
            (wanted[0] if wanted and not counts[wanted[0]] else TRAINING, waiting[0]),
        )
        waiting.remove(unit)
        unit.split = split
        counts[split] += unit.size


def _find_fitting(waiting: "deque[_Unit]", room: int) -> _Unit | None:
    """Return the first of the next units that fits, or would by its half; one picture always does."""
    return next((unit for unit in islice(waiting, _LOOK_AHEAD) if unit.size == 1 or unit.size <= 2 * room), None)


def _deal_few(units: list[_Unit], counts: Counter[str], wanted: tuple[str, ...]) -> None:
    """Give each of the one or two units of a class a split, the larger one first."""
    for unit in sorted(units, key=lambda unit: -unit.size):
        unit.split = next((name for name in wanted if not counts[name]), TRAINING)
        counts[unit.split] += unit.size


def _fill_empty(units: list[_Unit], counts: Counter[str], wanted: tuple[str, ...], shared: Collection[str]) -> None:
    """Move one picture, or one group, into each empty split.

    Take it from training if possible, so that pictures once used for testing stay in the test split.
    """
    for empty in (name for name in wanted if counts[name] == 0):
        movable = [unit for unit in units if unit.group not in shared]
        moved = next((unit for name in _givers(units, empty) for unit in movable if unit.split == name), None)
        if moved is not None:
            counts.update({moved.split: -moved.size, empty: moved.size})
            moved.split = empty


def _givers(units: list[_Unit], empty: str) -> list[str]:
    """Return the splits that can spare a unit; where nothing is for training, also those that have but one."""
    held = Counter(unit.split for unit in units)
    several = [name for name in (TRAINING, VALIDATION, TEST) if held[name] > 1]
    return several or ([name for name in (VALIDATION, TEST) if held[name]] if empty == TRAINING else [])
