"""Assign each picture to a split: decided from its sha256, kept forever, stratified, never empty.

Within a class, the pictures without a split are taken in the order of their sha256, which is a shuffle that every
machine agrees on. They fill empty splits first, then the shares of test and validation; the rest is for training. A
picture that has a split keeps it, one that somebody gave as well as one that was dealt.

Who gives pictures for training but none for validation or for test leaves the rest to be chosen: while nothing has been
dealt in such a class, what is missing is dealt from those for training, and what is given for test is the whole test.

The one other exception is a class of three or more pictures that would still have an empty split, for instance because
its only test picture was deleted and no new one was added: then one picture moves, out of training where possible.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

TRAINING, VALIDATION, TEST = "training", "validation", "test"
SPLITS = (TRAINING, VALIDATION, TEST)
SMALLEST_CLASS = 3  # one picture for each split


@dataclass(frozen=True)
class SplitSample:
    """A picture of one project. `split` is "" as long as none has been decided; a given one came with the picture."""

    sha256: str
    class_id: int
    split: str = ""
    is_given: bool = False


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
    changes: dict[str, str] = {}
    for members in by_class.values():
        shares = _shares(len(members), validation_percentage, testing_percentage)
        changes.update(_assign_class(members, shares))
    return changes


def _shares(count: int, validation_percentage: int, testing_percentage: int) -> dict[str, int]:
    """Return how many of a class's `count` pictures each split should have, in the order of filling."""
    if count < SMALLEST_CLASS:
        return {TEST: 0, VALIDATION: 0, TRAINING: count}
    test = min(max(1, round(count * testing_percentage / 100)), count - 2)
    validation = min(max(1, round(count * validation_percentage / 100)), count - 1 - test)
    return {TEST: test, VALIDATION: validation, TRAINING: count - test - validation}


def _assign_class(members: list[SplitSample], shares: dict[str, int]) -> dict[str, str]:
    splits = {sample.sha256: sample.split for sample in members}
    if _is_given_in_part(members):
        shares |= {sample.split: 0 for sample in members if sample.split in (TEST, VALIDATION)}  # is enough as it is
        splits |= {sample.sha256: "" for sample in members if sample.split == TRAINING}
    counts = Counter(split for split in splits.values() if split)
    for sha256 in [sha256 for sha256, split in splits.items() if not split]:
        split = _next_split(counts, shares)
        splits[sha256] = split
        counts[split] += 1
    if len(members) >= SMALLEST_CLASS:
        _fill_empty(splits, counts)
    return {sample.sha256: splits[sample.sha256] for sample in members if splits[sample.sha256] != sample.split}


def _is_given_in_part(members: list[SplitSample]) -> bool:
    """Return whether somebody gave pictures for training, but none for another split, and nothing was dealt yet."""
    given = {sample.split for sample in members if sample.split}
    dealt = any(sample.split and not sample.is_given for sample in members)
    return TRAINING in given and len(given) < len(SPLITS) and len(members) >= SMALLEST_CLASS and not dealt


def _next_split(counts: Counter[str], shares: dict[str, int]) -> str:
    # What is empty comes first: a share filled before it could force an old picture to move there.
    empty = [name for name in shares if shares[name] and not counts[name]]
    short = [name for name in (TEST, VALIDATION) if counts[name] < shares[name]]
    return [*empty, *short, TRAINING][0]


def _fill_empty(splits: dict[str, str], counts: Counter[str]) -> None:
    """Move one picture into each empty split.

    Take it from training if possible, so that pictures once used for testing stay in the test split.
    """
    for empty in (name for name in SPLITS if counts[name] == 0):
        giver = next(name for name in (TRAINING, VALIDATION, TEST) if counts[name] > 1)
        moved = next(sha256 for sha256, split in splits.items() if split == giver)
        splits[moved] = empty
        counts.update({giver: -1, empty: 1})
