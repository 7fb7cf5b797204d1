"""Names tell which pictures belong together, and most names tell nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.datasets.groups import MAX_GROUP_LENGTH, group_by_name
from tests.layouts import plan_of


def test_frames_belong_to_their_video() -> None:
    names = [f"vid{video}_frame{frame:03}" for video in range(2) for frame in range(3)]
    assert group_by_name(names) == ["vid0"] * 3 + ["vid1"] * 3


def test_videos_are_not_grouped_by_their_names() -> None:
    files = [f"cat/clip{video}_{number:02}" for video in (1, 2) for number in range(3)]
    groups = [
        [verdict.group for verdict in plan_of({f"{name}.{ending}": b"" for name in files}).verdicts]
        for ending in ("jpg", "mp4")
    ]
    assert groups == [["clip1"] * 3 + ["clip2"] * 3, [""] * 6]  # each video will be one of its own


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("holiday-frame-12", "holiday"),
        ("Holiday Frame 12", "Holiday"),
        ("frame0012", ""),
        ("a.frm7", "a"),
        ("leaf_nohash_3", "leaf"),
        ("leaf_nohash_", "leaf"),
        ("IMG_0042_jpg.rf.0a1b2c3d4e5f60718293a4b5c6d7e8f9", "IMG_0042"),
        ("IMG_0042.rf.0a1b2c3d4e5f60718293a4b5c6d7e8f9", "IMG_0042"),
        ("DSC_0001", ""),
        ("cat.17", ""),
        ("picture frame", ""),
        ("fr", ""),
        ("firefighter12", ""),
        ("IMG_20200229_164918", ""),
        ("", ""),
    ],
)
def test_name_alone(name: str, group: str) -> None:
    assert group_by_name([name]) == [group]


def test_several_series_in_a_row_are_groups() -> None:
    names = ["clip1_01", "clip1_02", "clip1_04", "clip2_01", "clip2_02", "clip2_03", "other"]
    assert group_by_name(names) == ["clip1"] * 3 + ["clip2"] * 3 + [""]


@pytest.mark.parametrize(
    "names",
    [
        [f"cam1_{number}" for number in range(9)],  # as one camera counts
        ["a1_1", "a1_900", "a1_5000", "b2_1", "b2_700", "b2_9000"],  # no series
        ["a1_1", "a1_2", "b2_1", "b2_2"],  # too short
        [f"2024-01-0{day}_{number}" for day in (1, 2) for number in range(5)],
        [f"n0123{name}_{number * 1000}" for name in (1, 2) for number in range(5)],
    ],
)
def test_no_series(names: list[str]) -> None:
    assert set(group_by_name(names)) == {""}


@given(names=st.lists(st.text(max_size=300), max_size=20))
def test_any_names(names: list[str]) -> None:
    groups = group_by_name(names)
    assert len(groups) == len(names)
    assert all(len(group) <= MAX_GROUP_LENGTH for group in groups)
    assert groups == [dict(zip(names, groups, strict=True))[name] for name in names]
