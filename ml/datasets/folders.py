"""Understand a tree of folders: which levels are splits, which say nothing, and which could be the classes.

A folder counts as a split or as one of no meaning only where all of its siblings do: beside `bus` and `car`, `train` is
a class, or at least a question.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ml.datasets.litter import Folders, is_for_small_copies
from ml.datasets.splits import TEST
from ml.datasets.vocabulary import (
    class_beside_split,
    ends_in_split,
    holds_no_pictures,
    is_generic,
    is_unlabelled,
    split_and_rest,
    split_of,
    stands_for_no_class,
    without_split,
)

MASKS = "It is in a folder of masks or annotations beside the pictures."
SMALL_COPIES = "It is in a folder of thumbnails beside the pictures."


@dataclass(frozen=True)
class Place:
    """What the folders of a file say.

    Attributes:
        chain: the names that could be classes, from the outermost; without splits and names of no meaning.
        split: the split that a folder is called after, or "".
        reason: why files in it are left out, or "".
        is_unlabelled: whether a folder says that its pictures have no class.
        is_in_root: whether the folder is the deepest one that all files are in.
    """

    chain: Folders
    split: str = ""
    reason: str = ""
    is_unlabelled: bool = False
    is_in_root: bool = False


@dataclass
class Tree:
    """The folders that pictures are in."""

    root: Folders
    places: dict[Folders, Place]
    mixed: list[str] = field(default_factory=list)  # names of splits or of no meaning that stand among others
    joined: list[str] = field(default_factory=list)  # names of folders that may be a class and a split in one


def read_tree(counts: Mapping[Folders, int], *, skip_mixed: bool) -> Tree:
    """Understand the folders that pictures are in.

    Args:
        counts: the pictures directly in each folder.
        skip_mixed: whether a folder called `test` or `images` is no class even where its siblings could be, and the
            split in the names of all class folders, as in `cat_train`, is none of the class's name.
    """
    root = _common(counts)
    children = _children(counts, len(root))
    reader = _Reader(root, children, counts, skip_mixed)
    places = {folders: reader.read(folders) for folders in counts}
    return Tree(root, _without_common_level(places), sorted(reader.mixed), sorted(reader.joined))


def _common(folders: Iterable[Folders]) -> Folders:
    """Return the deepest folder that all are in."""
    all_folders = list(folders)
    if not all_folders:
        return ()
    first, last = min(all_folders), max(all_folders)
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return first[:same]


def _children(counts: Mapping[Folders, int], depth: int) -> dict[Folders, set[str]]:
    """Return the names of the folders in each folder from the root down."""
    children: dict[Folders, set[str]] = {}
    for folders in counts:
        for level in range(depth, len(folders)):
            children.setdefault(folders[:level], set()).add(folders[level])
    return children


class _Reader:
    """Reads the place of each folder, deciding once for each parent what its children are."""

    def __init__(
        self, root: Folders, children: dict[Folders, set[str]], counts: Mapping[Folders, int], skip_mixed: bool
    ) -> None:
        self.root, self.children, self.counts, self.skip_mixed = root, children, counts, skip_mixed
        self.kinds: dict[Folders, dict[str, str]] = {}
        self.mixed: set[str] = set()
        self.joined: set[str] = set()

    def read(self, folders: Folders) -> Place:
        chain: list[str] = []
        split = next((found for name in reversed(self.root) if (found := split_of(name))), "")
        reason, unlabelled = "", False
        for level in range(len(self.root), len(folders)):
            name = folders[level]
            kind = self._kinds(folders[:level])[name]
            if kind == "split":
                split = split_and_rest(name)[0]
            elif kind == "joined":
                split = split_and_rest(name)[0]
                chain.append(without_split(name))
            elif kind == "class":
                chain.append(name)
            elif kind == "unlabelled":
                unlabelled = True
            elif kind in (MASKS, SMALL_COPIES):
                reason = kind
        return Place(tuple(chain), split, reason, unlabelled, folders == self.root)

    def _kinds(self, parent: Folders) -> dict[str, str]:
        if parent not in self.kinds:
            self.kinds[parent] = self._decide(parent)
        return self.kinds[parent]

    def _decide(self, parent: Folders) -> dict[str, str]:
        """Decide what the folders in one folder are: split, generic, unlabelled, class, or why they are left out."""
        names = self.children[parent]
        if len(names) == 1 and parent[-1:] == tuple(names):  # unpacked into a folder of its own name
            return dict.fromkeys(names, "generic")
        if len(names) == 1 and parent and split_of(parent[-1]) == TEST and stands_for_no_class(next(iter(names))):
            return dict.fromkeys(names, "unlabelled")
        if parent and split_of(parent[-1]) and self._repeat_their_split(parent[:-1]):
            return dict.fromkeys(names, "joined")
        kinds = {name: _kind(name) for name in names} | _kinds_of_joined(names)
        if self.counts.get(parent):
            kinds |= {name: SMALL_COPIES for name in names if is_for_small_copies(name)}
        if self._may_be_joined(parent, kinds):
            return self._decide_joined(kinds)
        plain = {name for name in names if kinds[name] == "class" and not holds_no_pictures(name)}
        special = {name for name in names if kinds[name] in ("split", "generic")}
        if not plain:
            beside = special or {name for name in names if kinds[name] != "class"}
            return kinds | {name: MASKS for name in names if kinds[name] == "class" and beside}
        return kinds | self._decide_mixed(parent, plain, special, kinds)

    def _repeat_their_split(self, above: Folders) -> bool:
        """Return whether all folders in the splits' name their split once more, as train/cat_train and test/cat_test.

        One that does alone, such as train/freight_train beside test/freight_train, is called so.
        """
        splits = {name: split_of(name) for name in self.children.get(above, set()) if split_of(name)}
        inside = {name: self.children.get((*above, name), set()) for name in splits}
        repeated = all(
            split_and_rest(child)[0] == splits[name] and without_split(child)
            for name, children in inside.items()
            for child in children
        )
        return len(splits) > 1 and repeated and all(inside.values())

    def _may_be_joined(self, parent: Folders, kinds: dict[str, str]) -> bool:
        """Return whether all folders in one may be a class and a split, as cat_train and dog_train.

        They are not where a folder above says the split already.
        """
        above = parent[len(self.root) :]
        return (
            len(kinds) > 1
            and set(kinds.values()) == {"class"}
            and not any(split_of(name) for name in above)
            and all(class_beside_split(name) and ends_in_split(name) for name in kinds)
        )

    def _decide_joined(self, kinds: dict[str, str]) -> dict[str, str]:
        if self.skip_mixed:
            return dict.fromkeys(kinds, "joined")
        self.joined |= set(kinds)
        return kinds

    def _decide_mixed(
        self, parent: Folders, plain: set[str], special: set[str], kinds: dict[str, str]
    ) -> dict[str, str]:
        """Decide about `test` beside `cats`: its own folders being called as its siblings are, it is a split."""
        masks = {name for name in kinds if kinds[name] == "class" and holds_no_pictures(name)}
        if self.skip_mixed:
            return dict.fromkeys(masks, MASKS)
        decided = {}
        for name in special:
            below = self.children.get((*parent, name), set())
            if below and below <= plain:
                continue
            decided[name] = "class"
            self.mixed.add(name)
        self.mixed |= masks
        return decided


def _kinds_of_joined(names: set[str]) -> dict[str, str]:
    """Return the kinds of names that are alike but for the split they name.

    seg_train and seg_test are splits; circle_train, circle_test and square_train are classes as well.
    """
    found: dict[Folders, dict[str, str]] = {}
    classes: dict[str, set[str]] = {}
    for name in names:
        split, rest = split_and_rest(name)
        if split:
            found.setdefault(rest, {})[name] = split
            classes.setdefault(class_beside_split(name), set()).add(split)
    several = any(len(splits) > 1 for splits in classes.values())
    if several and len(classes) > 1 and all(classes) and sum(map(len, found.values())) == len(names):
        return dict.fromkeys(names, "joined")
    alike = [group for rest, group in found.items() if rest and len(set(group.values())) > 1]
    return {name: "split" for group in alike for name in group}


def _kind(name: str) -> str:
    if split_of(name):
        return "split"
    if is_unlabelled(name):
        return "unlabelled"
    return "generic" if is_generic(name) else "class"


def _without_common_level(places: dict[Folders, Place]) -> dict[Folders, Place]:
    """Take the levels off the chains that are the same in all, as `animals` in train/animals/cat; keep the last."""
    chains = {place.chain for place in places.values() if place.chain and not place.reason}
    shared = 0
    while chains and all(len(chain) > shared + 1 for chain in chains) and len({chain[shared] for chain in chains}) == 1:
        shared += 1
    if not shared:
        return places
    return {
        folders: Place(place.chain[shared:], place.split, place.reason, place.is_unlabelled, place.is_in_root)
        for folders, place in places.items()
    }
