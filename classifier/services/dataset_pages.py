"""dataset version, or what differs between two -> a page of pictures, by key: page 300 costs what page 1 costs."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from classifier.models import DatasetVersion
from classifier.selectors import dataset_class_names
from classifier.services.dataset_comparison import Difference, Place, find_samples, names_of_classes
from classifier.services.datasets import load_dataset


@dataclass(frozen=True)
class Shown:
    """A picture as a page shows it. `was` is where it was before, in a comparison."""

    sha256: str
    label: str
    split: str
    group: str = ""
    sample: int | None = None  # its id; none once it has been deleted for good
    was: str = ""


def page_of_version(
    version: DatasetVersion, *, class_id: int | None = None, split: str = "", after: str = "", size: int
) -> tuple[list[Shown], str, int]:
    """Return pictures of the version, where the next page begins or "", and how many match.

    Raise DatasetCorrupt, OSError.
    """
    dataset, names = load_dataset(version), dataset_class_names(version)
    rows = [row for row in dataset.rows if class_id in (None, dataset.classes[row[1]][0]) and split in ("", row[2])]
    page, following = cut_page([row[0] for row in rows], after, size)
    there = find_samples(version.project, [row[0] for row in rows[page]])
    shown = [Shown(s, names[place], split, dataset.groups.get(s, ""), there.get(s)) for s, place, split in rows[page]]
    return shown, following, len(rows)


def page_of_differences(
    versions: Sequence[DatasetVersion], found: Sequence[Difference], *, after: str = "", size: int
) -> tuple[list[Shown], str]:
    """Return differences as pictures with where they are and were, and where the next page begins or ""."""
    project = versions[0].project
    page, following = cut_page([one.sha256 for one in found], after, size)
    names = names_of_classes(project, *versions)
    there = find_samples(project, [one.sha256 for one in found[page]])
    return [_show(one, names, there.get(one.sha256)) for one in found[page]], following


def _show(one: Difference, names: dict[int, str], sample: int | None) -> Shown:
    place = one.after or one.before
    label, split = (names.get(place.class_id, ""), place.split) if place else ("", "")
    return Shown(one.sha256, label, split, "", sample, _was(one.before, one.after, names))


def _was(before: Place | None, after: Place | None, names: dict[int, str]) -> str:
    """Return what was otherwise before: the class, the split or both."""
    if before is None or after is None:
        return ""
    changed = [
        *([names.get(before.class_id, "")] if before.class_id != after.class_id else []),
        *([before.split] if before.split != after.split and before.split else []),
    ]
    return ", ".join(changed)


def cut_page(keys: list[str], after: str, size: int) -> tuple[slice, str]:
    """Return the part of sorted keys that is a page, and the key after which the next begins or ""."""
    start = bisect_right(keys, after)
    end = start + size
    return slice(start, end), keys[end - 1] if end < len(keys) else ""
