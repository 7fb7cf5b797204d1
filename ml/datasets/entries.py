"""Define what the readers of zips, tars and folders share: limits, entries, and the step from a name to an entry."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from ml.datasets.litter import Folders, in_litter, is_litter
from ml.datasets.names import (
    NESTED_ARCHIVE,
    EntryRefused,
    check_name,
    displayable,
    is_nested_archive,
    split_name,
)
from ml.datasets.plan import Plan, Verdict
from ml.errors import Refused

IS_LINK = "It is a link to another file; links are not followed."
NOT_A_FILE = "It is not an ordinary file."
IS_DAMAGED = "It is damaged in the archive and cannot be read."
REST_UNREADABLE = "The archive is cut off or damaged from here on; the rest could not be read."
# Stands for the files in the report whose names could not be read.
REST_NAME = "(the rest of the archive)"


class ArchiveRejected(Refused):
    """Nothing in this archive can be used. The message is a sentence for the user."""


@dataclass(frozen=True)
class ArchiveLimits:
    """The limits within which an archive or a folder is read."""

    max_entries: int = 200_000  # everything listed counts, folders and hidden files too
    max_total_bytes: int = 20 * 2**30  # unpacked
    max_file_bytes: int = 50 * 2**20  # unpacked, each
    max_name_length: int = 1000  # of the whole path, in characters
    # No limit on how well an entry is packed: an honest bitmap shrinks a thousandfold, just as a bomb does.
    # What a bomb can cost is bounded by the bytes that come out of it.


DEFAULT_LIMITS = ArchiveLimits()


class ArchiveEntry(NamedTuple):
    """A file with its class, if it has one, or the reason why it was refused; then it has no data."""

    name: str  # as in the archive, safe to show
    class_name: str | None
    data: bytes | None
    reason: str | None
    split: str = ""  # given by a folder or a table
    group: str = ""  # of pictures that belong together


@dataclass
class ArchiveWalk(Iterator[ArchiveEntry]):
    """An iterator over `total` entries, each of which is read when it is asked for.

    `entry`, if it is given, returns any entry by its position. `plan` is what they were read after, if there was one.
    """

    total: int
    entries: Iterator[ArchiveEntry]
    entry: Callable[[int], ArchiveEntry] | None = None
    plan: Plan | None = None

    @classmethod
    def of_any_order(cls, total: int, entry: Callable[[int], ArchiveEntry]) -> Self:
        """Make a walk from a function that can read the entries in any order."""
        return cls(total, map(entry, range(total)), entry)

    def after(self, plan: Plan) -> Self:
        """Note the plan, and return the walk."""
        self.plan = plan
        return self

    def __next__(self) -> ArchiveEntry:
        return next(self.entries)


class ArchiveMember(NamedTuple):
    """A file that will have a line in the report, before it is read. `refusal` says why it will not be read, if so."""

    name: str
    folders: Folders
    refusal: str | None
    last: str = ""  # part of the name
    size: int = 0  # bytes


def list_file(name: str, refusal: str | None, limits: ArchiveLimits, size: int = 0) -> ArchiveMember | None:
    """Return the member for a file called `name`, or None if it is skipped without a word.

    `refusal` is the format reader's own objection to the file, if it has one.
    """
    folders, last = split_name(name)
    if not last or is_litter(last) or in_litter(folders):
        return None
    try:
        check_name(name, folders, last, limits.max_name_length)
    except EntryRefused as error:
        return ArchiveMember(name, (), str(error), last, size)
    return ArchiveMember(name, folders, refusal, last, size)


@dataclass
class Survey:
    """A first pass over all names, which lists the files and counts everything."""

    limits: ArchiveLimits
    members: list[ArchiveMember] = field(default_factory=list)
    seen: int = 0
    litter: int = 0  # files, or whole folders where these are not looked into

    def count(self) -> None:
        """Count one more item of any kind. Raise `ArchiveRejected` beyond the limit."""
        self.seen += 1
        if self.seen > self.limits.max_entries:
            raise too_many_entries(self.limits)

    def add(self, name: str, refusal: str | None, size: int) -> ArchiveMember | None:
        """List a file and return it, or None if it is litter."""
        listed = list_file(name, refusal, self.limits, size)
        if listed is None:
            self.litter += 1
        else:
            self.members.append(listed)
        return listed


class ClassifiedMember(NamedTuple):
    """A file with what becomes of it, before it is read. JSON can carry it."""

    name: str  # safe to show
    class_name: str | None
    reason: str | None
    split: str = ""
    group: str = ""


def classify_member(listed: ArchiveMember, verdict: Verdict, limits: ArchiveLimits) -> ClassifiedMember:
    """Join a listed file and the verdict of the plan on it."""
    name = displayable(verdict.file_name or listed.name, limits.max_name_length)
    return ClassifiedMember(name, verdict.class_name, verdict.reason, verdict.split, verdict.group)


def read_member(member: ClassifiedMember, read: Callable[[], bytes]) -> ArchiveEntry:
    """Make the entry of a file, calling `read` unless the file is refused.

    An `EntryRefused` that `read` raises becomes the reason in the entry.
    """
    if member.reason is not None:
        return ArchiveEntry(member.name, None, None, member.reason)
    try:
        data = read()
        if is_nested_archive(member.name, data):
            raise EntryRefused(NESTED_ARCHIVE)
    except EntryRefused as error:
        return ArchiveEntry(member.name, None, None, str(error))
    return ArchiveEntry(member.name, member.class_name, data, None, member.split, member.group)


def closing_entry(reason: str) -> ArchiveEntry:
    """Return the last entry of a walk that could not be finished."""
    return ArchiveEntry(REST_NAME, None, None, reason)


def too_large(limits: ArchiveLimits) -> str:
    return f"It is larger than {show_bytes(limits.max_file_bytes)}."


def too_many_entries(limits: ArchiveLimits) -> ArchiveRejected:
    return ArchiveRejected(f"There are more than {limits.max_entries:,} files in it. Upload it in parts.")


def too_many_bytes(limits: ArchiveLimits) -> ArchiveRejected:
    most = show_bytes(limits.max_total_bytes)
    return ArchiveRejected(f"Unpacked, it is larger than {most}. Upload it in parts.")


def show_bytes(count: int) -> str:
    for unit, size in (("GB", 2**30), ("MB", 2**20)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count:,} bytes"
