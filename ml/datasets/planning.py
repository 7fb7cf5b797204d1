"""Choose the reading of a layout: folders, tables or file names; and ask where others are as good.

Nothing is decided in silence that other people might have meant otherwise: then the plan has a question, whose options
are readings (see `ml.datasets.readings`), each with the classes that it would give.
"""

from collections import Counter
from dataclasses import dataclass, replace

from ml.datasets import readings
from ml.datasets.class_levels import Level
from ml.datasets.evidence import Evidence
from ml.datasets.file_names import find_labels, label_before_number, match_pattern
from ml.datasets.readings import Layout
from ml.datasets.splits import TEST
from ml.datasets.vocabulary import is_camera_prefix, without_split

_BY_NAME = "The class is what stands before the number in the file name"
_FEW = 0.05  # of the pictures: as many may be missing from a table, or be called otherwise, without a question


@dataclass
class Labels:
    """What a reading gives: for each picture the label as it is written ("" without one).

    Attributes:
        doubt: a question about it, with its other readings as (layout, title).
    """

    reading: Layout
    labels: list[str]
    doubt: str = ""
    others: tuple[tuple[Layout, str], ...] = ()
    warnings: tuple[str, ...] = ()
    evidence: Evidence | None = None  # as this reading sees it, where that is another than what it was chosen from


def choose_labels(evidence: Evidence) -> Labels:
    """Return the labels of the reading that the layout names, or of the best one where it leaves the choice."""
    layout = evidence.layout
    if layout.reading not in (readings.AUTO, readings.SPLITS):
        return Labels(layout, _forced(evidence))
    found = _choose(evidence)
    return found if layout.reading == readings.AUTO else replace(found, reading=layout, doubt="", others=())


def _forced(evidence: Evidence) -> list[str]:
    layout = evidence.layout
    count = range(len(evidence.pictures))
    if layout.reading == readings.UNLABELLED:
        return [""] * len(evidence.pictures)
    if layout.reading == readings.NAME:
        if layout.argument:
            return [match_pattern(layout.argument, evidence.name(picture)) for picture in count]
        scope = _named_scope(evidence)
        found = find_labels(evidence.name(picture) for picture in scope)
        if found is not None:
            return _spread(evidence, scope, found.labels)
        return [label_before_number(evidence.name(picture)) for picture in count]
    if layout.reading == readings.TABLE:
        return evidence.by_table()
    if not evidence.chains:  # all that is left is the folder itself, whatever it is called
        return [folders[-1] if folders else "" for folders in evidence.folders]
    return _fill(evidence, evidence.by_level(_forced_level(layout)))


def _fill(evidence: Evidence, labels: list[str]) -> list[str]:
    """Return the labels from folders, and from tables where there are none, if these know no other classes."""
    if not evidence.tables.labels:
        return labels
    by_table = evidence.by_table()
    if not {label for label in by_table if label} <= set(labels):
        return labels
    return [label or other for label, other in zip(labels, by_table, strict=True)]


def _forced_level(layout: Layout) -> Level:
    if layout.reading == readings.FOLDER:
        return Level(int(layout.argument) - 1)
    return Level(0 if layout.reading == readings.FIRST else -1)


def _choose(evidence: Evidence) -> Labels:
    folders = _from_folders(evidence)
    if evidence.tables.labels:
        return _with_table(evidence, folders)
    if evidence.chains:
        return folders
    return _from_names(evidence)


def _reading_of(evidence: Evidence) -> Layout:
    """Return the reading that stands for the level that was chosen."""
    place = evidence.level.place
    if place == 0:
        return evidence.layout.read_as(readings.FIRST)
    return (
        evidence.layout.read_as(readings.LAST)
        if place < 0
        else evidence.layout.read_as(readings.FOLDER, str(place + 1))
    )


def _from_folders(evidence: Evidence) -> Labels:
    level, mixed = evidence.level, evidence.tree.mixed
    labels = _fill(evidence, evidence.by_level(level))
    reading = _reading_of(evidence)
    if mixed:
        return _mixed(evidence, labels, reading)
    if evidence.tree.joined:
        return _joined(evidence, labels, reading)
    deepest = max(map(len, evidence.chains), default=0)
    others = tuple(
        (evidence.layout.read_as(readings.FOLDER, str(place + 1)), f"The class is folder number {place + 1}")
        for place in range(1, min(deepest, 5) - 1)
    )
    ends = (
        (evidence.layout.read_as(readings.FIRST), "The class is the first (outer) folder"),
        (evidence.layout.read_as(readings.LAST), "The class is the last (inner) folder"),
    )
    stray = _stray(evidence, labels)
    unlabelled = (evidence.layout.read_as(readings.UNLABELLED), "None of the pictures has a class yet")
    offered = (
        (*ends, *others) if deepest > 1 else ((reading, "Only the pictures in class folders have a class"), unlabelled)
    )
    return Labels(reading, labels, level.doubt or stray, offered, (level.warning,) if level.warning else ())


def _stray(evidence: Evidence, labels: list[str]) -> str:
    """Return a question where pictures in a folder for training or of no meaning have no class, but others have."""
    unclear = {
        folders
        for folders, place in evidence.tree.places.items()
        if not place.chain and not place.reason and not place.is_unlabelled and not place.is_in_root
        if place.split != TEST
    }
    stray = sorted({f for f, label in zip(evidence.folders, labels, strict=True) if not label and f in unclear})
    if not stray or not any(labels):
        return ""
    return f"The pictures in “{'/'.join(stray[0])}” are in no class folder, although others are. Have they no class?"


def _mixed(evidence: Evidence, labels: list[str], reading: Layout) -> Labels:
    """Ask about folders called as splits are, or as what says nothing, among others that may be classes."""
    named = ", ".join(f"“{name}”" for name in evidence.tree.mixed[:3])
    splits = evidence.layout.read_as(readings.SPLITS)
    others = ((splits, f"{named}: not a class"), (reading, f"{named}: a class like the folders beside it"))
    doubt = f"Beside class folders there is a folder called {named}. Is it a class?"
    suggested = evidence.like(splits)
    return Labels(splits, _choose(suggested).labels, doubt, others, evidence=suggested)


def _joined(evidence: Evidence, labels: list[str], reading: Layout) -> Labels:
    """Ask about class folders that all have a split in their name: cat_train and dog_train."""
    names = evidence.tree.joined
    whole = ", ".join(f"“{name}”" for name in names[:3])
    short = ", ".join(f"“{without_split(name)}”" for name in names[:3])
    splits = evidence.layout.read_as(readings.SPLITS)
    others = ((splits, f"The classes are {short}, and the rest is the split"), (reading, f"The classes are {whole}"))
    doubt = (
        f"The class folders are called {whole}. Does the name say what the pictures are for (training, validation or"
        " test), or is all of it the class?"
    )
    suggested = evidence.like(splits)
    return Labels(splits, _choose(suggested).labels, doubt, others, evidence=suggested)


def _with_table(evidence: Evidence, folders: Labels) -> Labels:
    """Choose between the table and the folders, which agree if each class of the one is a class of the other."""
    tables, by_table, layout = evidence.tables, evidence.by_table(), evidence.layout
    if evidence.chains and not folders.doubt and _agree(by_table, folders.labels):
        return folders
    if not evidence.chains and all(label.isdigit() for label in by_table if label):
        names = _from_names(evidence)
        if names.reading.reading == readings.NAME and _agree(by_table, names.labels):
            return replace(names, doubt="", others=())
    table = evidence.layout.read_as(readings.TABLE)
    named = f"“{tables.names[0]}”" if tables.names else "the table"
    offered: list[tuple[Layout, str]] = [(table, f"The classes are those in {named}")]
    doubt = ""
    by_column = _by_first_column(evidence)
    if by_column is not None:
        file, columns = tables.columns
        offered = [
            (layout.read_as(readings.TABLE, f"{file}#{c}"), f"The class is the column “{c}”") for c in columns[:6]
        ]
        table, doubt = offered[0][0], f"In “{file}” several columns could be the class. Which one is it?"
        by_table = by_column.by_table()
    elif evidence.chains:
        offered += folders.others[:2] if folders.doubt else [(folders.reading, "The classes are the folders")]
        doubt = f"The classes in {named} are not those of the folders. Which are right?"
    elif (several := sum(len(labels) > 1 for labels in tables.labels.values())) > _FEW * len(tables.labels):
        doubt = f"{named} gives several classes to {several:,} pictures, which can only be in one. Leave them out?"
    elif not _covers(evidence, by_table):
        doubt = f"{named} gives a class to only some of the pictures. Have the others none?"
    if doubt:
        offered.append((evidence.layout.read_as(readings.UNLABELLED), "None of the pictures has a class yet"))
    told = (f"The classes are read from {named}.",)
    return Labels(table, by_table, doubt, tuple(offered), told, by_column)


def _by_first_column(evidence: Evidence) -> Evidence | None:
    """Return the evidence of the table alone whose class could be in several columns, if it gives classes then."""
    file, columns = evidence.tables.columns
    if not columns:
        return None
    chosen = evidence.like(evidence.layout.read_as(readings.TABLE, f"{file}#{columns[0]}"))
    return chosen if chosen.tables.labels else None


def _agree(one: list[str], other: list[str]) -> bool:
    """Return whether each class of the one is a class of the other, but for few of the pictures that both know."""
    pairs = Counter((a, b) for a, b in zip(one, other, strict=True) if a and b)
    total = sum(pairs.values())
    missing = sum(1 for a, b in zip(one, other, strict=True) if a and not b)
    best: dict[str, int] = {}
    back: dict[str, int] = {}
    for (a, b), count in pairs.items():
        best[a], back[b] = max(best.get(a, 0), count), max(back.get(b, 0), count)
    return total > 0 and missing == 0 and min(sum(best.values()), sum(back.values())) >= (1 - _FEW / 2) * total


def _covers(evidence: Evidence, labels: list[str]) -> bool:
    """Return whether nearly all pictures have a label that are not those of a test."""
    without = sum(
        1
        for picture, label in enumerate(labels)
        if not label and evidence.split(picture) != TEST and not evidence.places[picture].is_unlabelled
        if len(evidence.tables.labels.get(picture, ())) < 2
    )
    return without <= _FEW * len(labels)


def _from_names(evidence: Evidence) -> Labels:
    """Read labels from file names where folders say nothing, or ask."""
    scope = _named_scope(evidence)
    found = find_labels(evidence.name(picture) for picture in scope)
    layout, only = evidence.layout, evidence.only_folder
    name = layout.read_as(readings.NAME)
    unlabelled = (layout.read_as(readings.UNLABELLED), "None of the pictures has a class yet")
    folder = (layout.read_as(readings.LAST), f"All pictures are of the class “{only or _last(evidence)}”")
    if found is None:
        if only and not _may_be_in_names(evidence, scope):
            return Labels(layout.read_as(readings.LAST), [only] * len(evidence.pictures))
        if only:
            doubt = f"All pictures are in the folder “{only}”, but the file names look like classes. Which are right?"
            return Labels(folder[0], [only] * len(evidence.pictures), doubt, (folder, (name, _BY_NAME), unlabelled))
        offered = (unlabelled, folder) if _last(evidence) else (unlabelled,)
        return Labels(unlabelled[0], [""] * len(evidence.pictures), _nothing_found(evidence), offered)
    labels = _spread(evidence, scope, found.labels)
    others = (
        (name, _BY_NAME),
        unlabelled,
        *([folder] if only else []),
    )
    doubt = "No folder says which class a picture has, but the file names might. Are these the classes?"
    return Labels(
        name,
        labels,
        "" if found.is_sure and not only else doubt,
        others,
        ("The classes are read from the file names.",),
    )


def _may_be_in_names(evidence: Evidence, scope: list[int]) -> bool:
    """Return whether most file names have a label before their number, each of some pictures, though not all have."""
    labels = Counter(label_before_number(evidence.name(picture)) for picture in scope)
    shared = {label: count for label, count in labels.items() if label and count > 1 and not is_camera_prefix(label)}
    return len(shared) > 1 and sum(shared.values()) > len(scope) / 2


def _named_scope(evidence: Evidence) -> list[int]:
    """List the pictures whose names are to have labels: those of a test may have none, if there are others."""
    places = evidence.places
    used = [p for p in range(len(evidence.pictures)) if not places[p].is_unlabelled and not places[p].reason]
    return [picture for picture in used if evidence.split(picture) != TEST] or used


def _last(evidence: Evidence) -> str:
    return evidence.folders[0][-1] if len(evidence.counts) == 1 and evidence.folders[0] else ""


def _nothing_found(evidence: Evidence) -> str:
    if not evidence.pictures:
        return ""
    return "Neither folders, nor a table, nor file names say which class a picture has. Bring them in without a class?"


def _spread(evidence: Evidence, scope: list[int], labels: list[str]) -> list[str]:
    """Return the labels of all pictures: those of a test have one if it is one of the others'."""
    found = dict(zip(scope, labels, strict=True))
    known = set(labels)
    for picture in range(len(evidence.pictures)):
        if picture not in found:
            label = label_before_number(evidence.name(picture))
            found[picture] = label if label in known else ""
    return [found[picture] for picture in range(len(evidence.pictures))]
