"""Test the rules of splits, for any classes, any earlier splits and any percentages."""

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.datasets.splits import SMALLEST_CLASS, SPLITS, TEST, TRAINING, VALIDATION, SplitSample, assign_splits

PERCENTAGES = st.integers(1, 45)


def sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def fresh(sizes: list[int], start: int = 0) -> list[SplitSample]:
    """Return so many pictures of each class, all without a split."""
    classes = [class_id for class_id, size in enumerate(sizes) for _ in range(size)]
    return [SplitSample(sha(start + number), class_id) for number, class_id in enumerate(classes)]


def settle(samples: list[SplitSample], changes: dict[str, str]) -> list[SplitSample]:
    return [SplitSample(one.sha256, one.class_id, changes.get(one.sha256, one.split)) for one in samples]


def assign(samples: list[SplitSample], percentages: tuple[int, int]) -> list[SplitSample]:
    validation, testing = percentages
    return settle(samples, assign_splits(samples, validation_percentage=validation, testing_percentage=testing))


def count(samples: list[SplitSample], class_id: int) -> dict[str, int]:
    counted = Counter(one.split for one in samples if one.class_id == class_id)
    return {split: counted[split] for split in SPLITS}


def expected(size: int, percentages: tuple[int, int]) -> dict[str, int]:
    """Return the rounded shares of a new class, at least one each, as the module promises."""
    if size < SMALLEST_CLASS:
        return {TRAINING: size, VALIDATION: 0, TEST: 0}
    validation, testing = (max(1, round(size * percentage / 100)) for percentage in percentages)
    testing = min(testing, size - 2)
    validation = min(validation, size - testing - 1)
    return {TRAINING: size - testing - validation, VALIDATION: validation, TEST: testing}


SIZES = st.lists(st.integers(0, 60), min_size=1, max_size=4)
TWO = st.tuples(PERCENTAGES, PERCENTAGES)


@st.composite
def mixed(draw: st.DrawFn) -> list[SplitSample]:
    """Draw pictures of which some have a split and some have none; often a class lacks whole splits."""
    samples = []
    for class_id, size in enumerate(draw(SIZES)):
        known = draw(st.lists(st.sampled_from(["", *SPLITS]), min_size=1, max_size=4))
        splits = draw(st.lists(st.sampled_from(known), min_size=size, max_size=size))
        samples += [SplitSample(sha(len(samples) + place), class_id, split) for place, split in enumerate(splits)]
    return samples


@given(SIZES, TWO)
def test_assign_fresh_classes_get_their_rounded_shares(sizes: list[int], percentages: tuple[int, int]) -> None:
    assigned = assign(fresh(sizes), percentages)
    for class_id, size in enumerate(sizes):
        assert count(assigned, class_id) == expected(size, percentages)


@given(mixed(), TWO)
def test_assign_everything_has_a_split_and_no_split_is_empty(
    samples: list[SplitSample], percentages: tuple[int, int]
) -> None:
    assigned = assign(samples, percentages)
    assert all(one.split in SPLITS for one in assigned)
    for class_id in {one.class_id for one in samples}:
        counts = count(assigned, class_id)
        if sum(counts.values()) >= SMALLEST_CLASS:
            assert all(counts.values())


@given(mixed(), TWO)
def test_assign_moves_only_what_an_empty_split_needs(samples: list[SplitSample], percentages: tuple[int, int]) -> None:
    assigned = assign(samples, percentages)
    for class_id in {one.class_id for one in samples}:
        before, after = ([one for one in group if one.class_id == class_id] for group in (samples, assigned))
        moved = [(old, new) for old, new in zip(before, after, strict=True) if old.split not in ("", new.split)]
        empty = sum(not any(one.split == split for one in before) for split in SPLITS)
        undecided = sum(not one.split for one in before)
        # New pictures go to what is empty first; only for what they cannot fill does an old one move.
        needed = max(0, empty - undecided) if len(before) >= SMALLEST_CLASS else 0
        assert len(moved) == needed
        # Training gives while it has more than one, and nobody gives the last of a split.
        assert all(old.split == TRAINING or count(after, class_id)[TRAINING] == 1 for old, _ in moved)


@given(mixed(), TWO)
def test_assign_new_pictures_do_not_overfill_a_share(samples: list[SplitSample], percentages: tuple[int, int]) -> None:
    assigned = assign(samples, percentages)
    for class_id in {one.class_id for one in samples}:
        old, new = count(samples, class_id), count(assigned, class_id)
        shares = expected(sum(new.values()), percentages)
        for split in (VALIDATION, TEST):
            assert new[split] <= max(old[split], shares[split], 1)


@given(mixed(), TWO, st.randoms(use_true_random=False))
def test_assign_does_not_depend_on_the_order(
    samples: list[SplitSample], percentages: tuple[int, int], random: "object"
) -> None:
    shuffled = samples[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert set(assign(shuffled, percentages)) == set(assign(samples, percentages))


@given(mixed(), TWO)
def test_assign_again_changes_nothing(samples: list[SplitSample], percentages: tuple[int, int]) -> None:
    assigned = assign(samples, percentages)
    validation, testing = percentages
    assert assign_splits(assigned, validation_percentage=validation, testing_percentage=testing) == {}
    # With other percentages neither: what is decided stays.
    assert assign_splits(assigned, validation_percentage=testing, testing_percentage=validation) == {}


@given(st.integers(3, 60), st.lists(st.integers(1, 30), max_size=4), TWO)
def test_assign_growing_a_class_moves_no_old_picture(
    size: int, additions: list[int], percentages: tuple[int, int]
) -> None:
    samples = assign(fresh([size]), percentages)
    for addition in additions:
        grown = assign([*samples, *fresh([addition], start=len(samples))], percentages)
        assert grown[: len(samples)] == samples
        samples = grown
    # However it grew, it ends with the shares of its size, give or take what rounding moved meanwhile.
    wanted, got = expected(len(samples), percentages), count(samples, 0)
    assert all(abs(wanted[split] - got[split]) <= 2 for split in SPLITS)


def test_assign_is_the_same_on_every_machine() -> None:
    changes = assign_splits(fresh([10]))
    by_sha256 = sorted(changes)
    assert [changes[one] for one in by_sha256] == [TEST, VALIDATION, *[TRAINING] * 8]


@pytest.mark.parametrize("size", [1, 2])
def test_assign_class_of_fewer_than_three_is_for_training(size: int) -> None:
    assert set(assign_splits(fresh([size])).values()) == {TRAINING}


def test_assign_lost_test_picture_is_replaced_from_training() -> None:
    kept = [one for one in assign(fresh([10]), (10, 10)) if one.split != TEST]
    changes = assign_splits(kept)
    assert list(changes.values()) == [TEST]
    moved = next(iter(changes))
    assert next(one for one in kept if one.sha256 == moved).split == TRAINING


def test_assign_new_picture_replaces_the_lost_test_picture() -> None:
    kept = [one for one in assign(fresh([10]), (10, 10)) if one.split != TEST]
    new = SplitSample(sha(1000), 0)
    assert assign_splits([*kept, new]) == {new.sha256: TEST}


def test_assign_new_pictures_fill_each_empty_split_before_any_share() -> None:
    """Fill both empty splits: if all three new pictures went to the test share, an old one would have to move."""
    old = [SplitSample(one.sha256, 0, TRAINING) for one in fresh([17])]
    new = fresh([3], start=100)
    changes = assign_splits([*old, *new], testing_percentage=20)
    assert set(changes) == {one.sha256 for one in new}
    assert sorted(changes.values()) == [TEST, TEST, VALIDATION]


def test_assign_nothing() -> None:
    assert assign_splits([]) == {}


# Given splits


def given_splits(counts: dict[str, int]) -> list[SplitSample]:
    splits = [split for split, count in counts.items() for _ in range(count)]
    return [SplitSample(sha(place), 0, split, is_given=bool(split)) for place, split in enumerate(splits)]


@pytest.mark.parametrize(
    ("counts", "after"),
    [
        ({TRAINING: 20, VALIDATION: 4, TEST: 3}, {TRAINING: 20, VALIDATION: 4, TEST: 3}),
        ({TRAINING: 20, TEST: 3}, {TRAINING: 18, VALIDATION: 2, TEST: 3}),
        ({TRAINING: 20}, {TRAINING: 16, VALIDATION: 2, TEST: 2}),
        ({TRAINING: 20, VALIDATION: 1}, {TRAINING: 18, VALIDATION: 1, TEST: 2}),
        ({TRAINING: 2}, {TRAINING: 2}),
        ({TEST: 5}, {TRAINING: 1, VALIDATION: 1, TEST: 3}),
        ({TRAINING: 10, "": 10, TEST: 2}, {TRAINING: 18, VALIDATION: 2, TEST: 2}),
    ],
)
def test_given_splits_are_kept_and_what_is_missing_dealt(counts: dict[str, int], after: dict[str, int]) -> None:
    samples = given_splits(counts)
    splits = {one.sha256: one.split for one in samples} | assign_splits(samples)
    assert Counter(splits.values()) == after
    if len(counts) > 1:  # nothing that was given for test or validation is trained on
        assert all(splits[one.sha256] == one.split for one in samples if one.split in (VALIDATION, TEST))


def test_given_splits_are_not_dealt_a_second_time() -> None:
    samples = given_splits({TRAINING: 20})
    changes = assign_splits(samples)
    dealt = [SplitSample(s.sha256, 0, changes.get(s.sha256, s.split), s.sha256 not in changes) for s in samples]
    assert assign_splits(dealt) == {}
    without_test = [one for one in dealt if one.split != TEST]
    assert len(assign_splits(without_test)) == 1  # as ever: one moves into an empty split


# Groups


@st.composite
def grouped(draw: st.DrawFn, *, shared: bool = False) -> list[SplitSample]:
    """Draw new pictures of some classes, many of them in groups, of their class alone unless these are shared."""
    samples: list[SplitSample] = []
    for class_id, size in enumerate(draw(SIZES)):
        groups = draw(st.lists(st.sampled_from(["", "a", "b", "c", "d", "e"]), min_size=size, max_size=size))
        samples += [
            SplitSample(
                sha(len(samples) + place), class_id, group=group and (group if shared else f"{class_id}{group}")
            )
            for place, group in enumerate(groups)
        ]
    return samples


def place(samples: list[SplitSample], percentages: tuple[int, int]) -> list[SplitSample]:
    validation, testing = percentages
    changes = assign_splits(samples, validation_percentage=validation, testing_percentage=testing)
    return [replace(sample, split=changes.get(sample.sha256, sample.split)) for sample in samples]


def splits_of_groups(samples: list[SplitSample]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for sample in samples:
        if sample.group:
            found.setdefault(sample.group, set()).add(sample.split)
    return found


@given(samples=grouped(), percentages=TWO)
def test_no_group_is_in_two_splits(samples: list[SplitSample], percentages: tuple[int, int]) -> None:
    placed = place(samples, percentages)
    assert all(len(splits) == 1 for splits in splits_of_groups(placed).values())
    for class_id in {sample.class_id for sample in samples}:
        own = [sample for sample in placed if sample.class_id == class_id]
        groups = len({sample.group or sample.sha256 for sample in own})
        possible = [TRAINING] if groups == 1 or len(own) < SMALLEST_CLASS else [TRAINING, TEST, VALIDATION][:groups]
        assert {split for split, number in count(placed, class_id).items() if number} == set(possible)


@given(samples=grouped(shared=True), percentages=TWO)
def test_no_group_of_several_classes_is_in_two_splits(samples: list[SplitSample], percentages: tuple[int, int]) -> None:
    placed = place(samples, percentages)
    assert all(len(splits) == 1 for splits in splits_of_groups(placed).values())
    assert place(placed, percentages) == placed


@given(samples=grouped(), percentages=TWO)
def test_groups_once_dealt_stay(samples: list[SplitSample], percentages: tuple[int, int]) -> None:
    placed = place(samples, percentages)
    assert place(placed, percentages) == placed


def test_new_picture_follows_its_group() -> None:
    old = place([SplitSample(sha(number), 0, group=f"g{number // 4}") for number in range(40)], (10, 10))
    new = [SplitSample(sha(100 + number), 0, group=f"g{number}") for number in range(10)]
    splits = {sample.group: sample.split for sample in old}
    for sample in place([*old, *new], (10, 10)):
        assert sample.split == splits[sample.group]


def test_group_dealt_into_two_splits_before_moves_nothing() -> None:
    old = place(fresh([20]), (10, 10))
    joined = [replace(sample, group="same" if sample.split != VALIDATION else "") for sample in old]
    assert place(joined, (10, 10)) == joined


def test_group_of_two_classes_is_in_one_split() -> None:
    samples = [SplitSample(sha(number), number % 2, group=f"g{number // 4}") for number in range(60)]
    placed = place(samples, (10, 10))
    assert all(len({one.split for one in placed if one.group == group}) == 1 for group in {s.group for s in samples})


def of_groups(sizes: dict[str, int], split: str = "", class_id: int = 0, start: int = 0) -> list[SplitSample]:
    groups = [group for group, size in sizes.items() for _ in range(size)]
    return [SplitSample(sha(start + place), class_id, split, bool(split), group) for place, group in enumerate(groups)]


def test_of_two_groups_the_larger_is_for_training() -> None:
    placed = place(of_groups({"burst": 3, "video": 20}), (10, 10))
    assert splits_of_groups(placed) == {"video": {TRAINING}, "burst": {TEST}}


def test_the_only_group_is_for_training_and_so_is_what_joins_it() -> None:
    placed = place(of_groups({"video": 20}), (10, 10))
    assert splits_of_groups(place([*placed, *of_groups({"video": 5}, start=100)], (10, 10))) == {"video": {TRAINING}}


def test_second_group_is_for_the_test_that_the_first_could_not_fill() -> None:
    placed = place(of_groups({"video": 3}), (10, 10))
    grown = place([*placed, *of_groups({"other video": 30}, start=100)], (10, 10))
    assert splits_of_groups(grown) == {"video": {TRAINING}, "other video": {TEST}}


def test_pictures_of_one_group_that_were_dealt_one_by_one_stay() -> None:
    old = [replace(one, group="video") for one in place(fresh([20]), (10, 10))]
    grown = place([*old, *of_groups({"video": 5}, start=100)], (10, 10))
    assert grown[:20] == old
    assert {one.split for one in grown[20:]} == {TRAINING}


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ({"a": TRAINING, "b": TRAINING}, {"a": TRAINING, "b": TEST}),
        ({"a": TRAINING, "b": TEST}, {"a": TRAINING, "b": TEST}),
        ({"a": TRAINING, "b": VALIDATION}, {"a": TRAINING, "b": VALIDATION}),
        ({"a": TEST, "b": TEST}, {"a": TRAINING, "b": TEST}),  # what cannot be learnt need not be tested
        ({"a": TEST, "b": VALIDATION}, {"a": TEST, "b": TRAINING}),
        ({"a": TEST}, {"a": TRAINING}),
    ],
)
def test_given_splits_of_a_class_of_few_groups(given: dict[str, str], after: dict[str, str]) -> None:
    samples = [
        one for place, group in enumerate(given) for one in of_groups({group: 4}, given[group], start=10 * place)
    ]
    splits = {one.group: one.split for one in place(samples, (10, 10))}
    assert sorted(splits.values()) == sorted(after.values())


def test_given_test_of_a_group_that_is_also_in_training_is_kept() -> None:
    mixed = of_groups({"a": 6, "b": 5, "c": 5, "d": 5}, TRAINING)
    placed = place([*mixed, *of_groups({"a": 2}, TEST, start=100)], (30, 30))
    assert [one.split for one in placed[-2:]] == [TEST, TEST]


def test_class_of_one_group_has_it_in_training_and_larger_classes_follow() -> None:
    larger = of_groups({"shared": 4, **{f"g{number}": 4 for number in range(9)}}, class_id=1, start=100)
    splits = splits_of_groups(place([*larger, *of_groups({"shared": 6})], (30, 30)))
    assert splits["shared"] == {TRAINING}


def test_group_of_another_class_does_not_move_to_where_a_split_is_empty() -> None:
    other = of_groups({"shared": 4, "x": 4, "y": 4}, TRAINING, class_id=1, start=100)
    dealt = [replace(one, is_given=False) for one in other]
    own = [replace(one, is_given=False) for one in of_groups({"shared": 3}, TRAINING)]
    splits = splits_of_groups(place([*own, *dealt], (10, 10)))
    assert splits["shared"] == {TRAINING}
    assert sorted(split for name in ("x", "y") for split in splits[name]) == [TEST, VALIDATION]
