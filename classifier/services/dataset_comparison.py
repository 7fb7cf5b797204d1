"""dataset version, dataset version or the current state -> what came, went, changed its class or its split."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from classifier.models import DatasetVersion, ImageClass, Project, Sample
from classifier.services.datasets import load_dataset


class Place(NamedTuple):
    """Where a picture is: its class and its split, which is "" as long as none has been decided."""

    class_id: int
    split: str


State = Mapping[str, Place]  # by sha256


@dataclass(frozen=True)
class Difference:
    """A picture that is not where it was. `before` or `after` is None where it is not there."""

    sha256: str
    before: Place | None
    after: Place | None


@dataclass
class Comparison:
    """The differences by their kind, each kind in the order of the sha256s. A picture may be in the last two."""

    came: list[Difference] = field(default_factory=list)
    went: list[Difference] = field(default_factory=list)
    moved: list[Difference] = field(default_factory=list)
    resplit: list[Difference] = field(default_factory=list)


KINDS = {
    "came": "came",
    "went": "went",
    "moved": "in another class",
    "resplit": "in another split",
}


def state_of_version(version: DatasetVersion) -> State:
    """Return where the pictures of a version are. Raise DatasetCorrupt, OSError."""
    dataset = load_dataset(version)
    return {sha256: Place(dataset.classes[place][0], split) for sha256, place, split in dataset.rows}


def current_state(project: Project) -> State:
    """Return where the pictures with a class are now."""
    kept = Sample.objects.filter(project=project, deleted_at=None, image_class__isnull=False).order_by()
    rows = kept.values_list("image__sha256", "image_class", "split").iterator(chunk_size=5000)
    return {sha256: Place(class_id or 0, split) for sha256, class_id, split in rows}


def compare_states(before: State, after: State) -> Comparison:
    """Compare two states. A picture without a split has no other one."""
    found = Comparison()
    for sha256 in sorted(before.keys() | after.keys()):
        one = Difference(sha256, before.get(sha256), after.get(sha256))
        if one.before is None or one.after is None:
            (found.came if one.before is None else found.went).append(one)
            continue
        if one.before.class_id != one.after.class_id:
            found.moved.append(one)
        if one.before.split and one.after.split and one.before.split != one.after.split:
            found.resplit.append(one)
    return found


def names_of_classes(project: Project, *versions: DatasetVersion) -> dict[int, str]:
    """Return the names of all classes that there are or were, by id, as they are today."""
    then = {pk: name for version in versions for pk, name in version.classes}
    return then | dict(ImageClass.objects.filter(project=project).values_list("pk", "name"))


def find_samples(project: Project, sha256s: list[str]) -> dict[str, int]:
    """Return the ids of the samples of those pictures that have not been deleted for good."""
    there = Sample.objects.filter(project=project, image__sha256__in=sha256s).order_by()
    return dict(there.values_list("image__sha256", "pk"))
