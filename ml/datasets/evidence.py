"""Collect what the files of an archive or a folder say of their classes: by folders, tables and names."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ml.datasets import readings
from ml.datasets.class_levels import Level, choose_level
from ml.datasets.entries import ArchiveMember
from ml.datasets.file_names import TABLE, kind_of_file, shows_something
from ml.datasets.folders import Place, Tree, read_tree
from ml.datasets.litter import Folders
from ml.datasets.names import NESTED_ARCHIVE, has_archive_name
from ml.datasets.picture_index import PictureIndex
from ml.datasets.plan import NOT_A_PICTURE
from ml.datasets.readings import Layout
from ml.datasets.table_files import TableFile, TableLabels, read_tables
from ml.datasets.vocabulary import fold, is_generic, split_of


@dataclass
class Listing:
    """The files of an archive or a folder, in their order, and how to read those that may be tables.

    Attributes:
        litter: how many more there are that systems left behind.
        read: returns the bytes of the file at a place; raises `EntryRefused`.
    """

    members: Sequence[ArchiveMember]
    read: Callable[[int], bytes]
    litter: int = 0


class Evidence:
    """What a listing says, whichever way it is read."""

    def __init__(self, listing: Listing, layout: Layout) -> None:
        self.listing, self.layout = listing, layout
        self.pictures: list[int] = []  # places in the listing
        self.table_files: list[TableFile] = []
        self.reasons: dict[int, str] = {}  # of what is left out
        for place, member in enumerate(listing.members):
            self._sort(place, member)
        self.folders = [listing.members[place].folders for place in self.pictures]
        self.counts = Counter(self.folders)

    def like(self, layout: Layout) -> "Evidence":
        """Return the evidence for another reading of the same files, without reading their tables again."""
        other = Evidence(self.listing, layout)
        if layout.reading != readings.TABLE:
            other.__dict__["tables"] = self.tables
        return other

    def _sort(self, place: int, member: ArchiveMember) -> None:
        """Tell by its name whether a file is a picture or a video, a table or neither."""
        if member.refusal is not None:
            self.reasons[place] = member.refusal
        elif has_archive_name(member.last):
            self.reasons[place] = NESTED_ARCHIVE
        elif shows_something(member.last):
            self.pictures.append(place)
        else:
            self.reasons[place] = NOT_A_PICTURE
            if kind_of_file(member.last) == TABLE:
                read = self.listing.read
                file = TableFile(member.name, member.folders, member.last, member.size, lambda: read(place))
                self.table_files.append(file)

    def name(self, picture: int) -> str:
        return self.listing.members[self.pictures[picture]].last

    @cached_property
    def tree(self) -> Tree:
        return read_tree(self.counts, skip_mixed=self.layout.reading == readings.SPLITS)

    @cached_property
    def places(self) -> list[Place]:
        """Return what the folders of each picture say."""
        return [self.tree.places[folders] for folders in self.folders]

    @cached_property
    def tables(self) -> TableLabels:
        if not self.table_files:
            return TableLabels()
        index = PictureIndex([(self.folders[p], self.name(p)) for p in range(len(self.pictures))])
        wanted = self.layout.argument if self.layout.reading == readings.TABLE else ""
        return read_tables(self.table_files, index, wanted)

    @cached_property
    def chains(self) -> Counter[Folders]:
        chains: Counter[Folders] = Counter()
        for folders, place in self.tree.places.items():
            if place.chain and not place.reason and not place.is_unlabelled:
                chains[place.chain] += self.counts[folders]
        return chains

    @cached_property
    def level(self) -> Level:
        return choose_level(self.chains)

    def by_level(self, level: Level) -> list[str]:
        """Return the label of each picture from one level of its folders."""
        found = {
            folders: "" if place.is_unlabelled else level.class_of(place.chain)
            for folders, place in self.tree.places.items()
        }
        return [found[folders] for folders in self.folders]

    def by_table(self) -> list[str]:
        """Return the label of each picture from the tables; several labels are none."""
        labels = self.tables.labels
        return [found[0] if len(found := labels.get(p, ())) == 1 else "" for p in range(len(self.pictures))]

    def split(self, picture: int) -> str:
        return self.tables.splits.get(picture) or self.places[picture].split

    @cached_property
    def only_folder(self) -> str:
        """Return the folder that all pictures are in, if its name may be a class's, else ""."""
        root = self.tree.root
        return root[-1] if root and not self.chains and set(self.counts) == {root} and _may_be_class(root[-1]) else ""


def _may_be_class(name: str) -> bool:
    """Return whether the name of the only folder may be a class's, and not that of a collection, as flower_photos."""
    return not split_of(name) and not any(is_generic(word) for word in fold(name).split("_"))
