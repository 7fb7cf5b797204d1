"""List and read files that lie one by one: those below a folder, without following links, or where a caller lists."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from ml.datasets.entries import (
    IS_LINK,
    NOT_A_FILE,
    ArchiveEntry,
    ArchiveLimits,
    ArchiveMember,
    ArchiveWalk,
    Survey,
    classify_member,
    read_member,
    too_large,
    too_many_bytes,
)
from ml.datasets.litter import is_litter
from ml.datasets.names import EntryRefused
from ml.datasets.plan import Plan

_CANNOT_OPEN = "This folder cannot be opened."


@dataclass
class FileListing:
    """Files that can be read in any order.

    Attributes:
        fetch: returns the content of one, by its name; raises `EntryRefused`.
    """

    members: list[ArchiveMember]
    litter: int
    limits: ArchiveLimits
    fetch: Callable[[str], bytes]

    @classmethod
    def of(cls, survey: Survey, fetch: Callable[[str], bytes]) -> Self:
        """Sort by name what has been surveyed."""
        return cls(sorted(survey.members, key=lambda listed: listed.name), survey.litter, survey.limits, fetch)

    def read(self, place: int) -> bytes:
        """Read one file. Raise `EntryRefused`."""
        return self.fetch(self.members[place].name)

    def walk(self, plan: Plan) -> ArchiveWalk:
        """Walk the files with the verdicts of the plan."""
        return ArchiveWalk.of_any_order(len(self.members), partial(self._entry, plan)).after(plan)

    def _entry(self, plan: Plan, place: int) -> ArchiveEntry:
        classified = classify_member(self.members[place], plan.verdicts[place], self.limits)
        return read_member(classified, partial(self.read, place))


def list_folder(root: Path, limits: ArchiveLimits) -> FileListing:
    """List the files below a folder. Raise `ArchiveRejected` if the limits are exceeded."""
    survey = Survey(limits)
    _list_files(root, survey)
    return FileListing.of(survey, lambda name: _read(root / name, limits))


def list_single_file(path: Path, limits: ArchiveLimits) -> FileListing:
    """List one file as if nothing else lay in its folder."""
    survey = Survey(limits)
    survey.add(path.name, None, path.stat().st_size)
    return FileListing.of(survey, lambda name: _read(path, limits))


def _list_files(root: Path, survey: Survey) -> None:
    pending = [""]
    size = 0
    while pending:
        below = pending.pop()
        children = _scan(root / below)
        if children is None:
            survey.members.append(ArchiveMember(below, (), _CANNOT_OPEN))
        for found in children or []:
            survey.count()
            name = os.path.join(below, found.name)
            if found.is_dir(follow_symlinks=False):
                survey.litter += is_litter(found.name)
                pending += [] if is_litter(found.name) else [name]
                continue
            bytes_long = found.stat(follow_symlinks=False).st_size
            listed = survey.add(name, _refusal(found, survey.limits), bytes_long)
            size += bytes_long if listed is not None and listed.refusal is None else 0
    if size > survey.limits.max_total_bytes:
        raise too_many_bytes(survey.limits)


def _scan(folder: Path) -> list[os.DirEntry[str]] | None:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return None


def _refusal(found: os.DirEntry[str], limits: ArchiveLimits) -> str | None:
    if found.is_symlink():
        return IS_LINK
    if not found.is_file(follow_symlinks=False):
        return NOT_A_FILE
    return too_large(limits) if found.stat(follow_symlinks=False).st_size > limits.max_file_bytes else None


def _read(path: Path, limits: ArchiveLimits) -> bytes:
    """Read an ordinary file, checking it again because it may have changed since it was listed.

    Raise `EntryRefused` if it cannot be opened, is not an ordinary file any more, or has become too large.
    """
    try:
        # Neither through a link nor waiting at a pipe that has taken the file's place.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise EntryRefused(NOT_A_FILE)
            data = file.read(limits.max_file_bytes + 1)
    except OSError as error:
        raise EntryRefused("It cannot be opened.") from error
    if len(data) > limits.max_file_bytes:
        raise EntryRefused(too_large(limits))
    return data
