"""uploaded archive or list of paths -> plan, without storing anything."""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.core.files.uploadedfile import TemporaryUploadedFile

from ml.datasets.archives import ArchiveEntry, open_archive
from ml.datasets.entries import DEFAULT_LIMITS, Survey
from ml.datasets.evidence import Listing
from ml.datasets.names import EntryRefused
from ml.datasets.plan import USED, Plan
from ml.datasets.planner import make_plan
from ml.datasets.readings import Layout
from ml.errors import Refused

MOST_BYTES_AT_ONCE = 512 * 2**20  # of an archive that is planned while the browser or program waits

BrowserVerdict = tuple[str | None, str, str, str | None]  # class, split, group, reason


class TooLargeToPlan(Refused):
    """Reading the archive would take longer than a request may."""

    status = 413

    def __init__(self) -> None:
        most = MOST_BYTES_AT_ONCE // 2**20
        super().__init__(f"A dry run takes archives of up to {most} MB. Bring it in: what is doubtful is asked first.")


class BadPaths(Refused):
    """The list of paths is none. The message says what it should be."""

    def __init__(self) -> None:
        super().__init__("Send the paths as a JSON list of pairs, such as [path, bytes].")


def check_size(size: int) -> None:
    """Check that an archive of so many bytes can be planned at once. Raise `TooLargeToPlan`."""
    if size > MOST_BYTES_AT_ONCE:
        raise TooLargeToPlan


def plan_archive(file: "File[bytes]", layout: Layout) -> Plan:
    """Return the plan of an uploaded archive. Raise `ArchiveRejected`, `BadLayout`, `TooLargeToPlan`."""
    check_size(file.size or 0)
    if isinstance(file, TemporaryUploadedFile):
        return open_archive(Path(file.temporary_file_path()), settings.ARCHIVE_LIMITS, layout).plan
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        return open_archive(Path(copy.name), settings.ARCHIVE_LIMITS, layout).plan


def plan_table(file: "File[bytes]", name: str, layout: Layout) -> Plan:
    """Return the plan of a single table, of web addresses. Raise `BadLayout`."""
    return plan_paths(json.dumps([[name, file.size or 0]]).encode(), {name: file}, layout)[0]


def plan_paths(text: bytes, tables: dict[str, "File[bytes]"], layout: Layout) -> tuple[Plan, list[bool]]:
    """Return the plan of a folder that a browser lists, and for each path whether it is in the plan or passed over.

    Args:
        text: a JSON list of [path, bytes].
        tables: the files among them that may be tables, by their path.
    """
    survey, planned = Survey(settings.ARCHIVE_LIMITS), []
    for name, size in _read_paths(text):
        survey.count()
        planned.append(survey.add(name, None, size) is not None)
    listing = Listing(survey.members, _reader(survey, tables), survey.litter)
    return make_plan(listing, layout), planned


def number_verdicts(plan: Plan, planned: list[bool]) -> tuple[list[BrowserVerdict], list[int]]:
    """Return the different verdicts, and for each path the place of its own among them, or -1 if it is passed over.

    They are without the names that a manifest gives: the browser sends each picture under its own. What only told of
    the pictures, such as a table, is passed over too: it is not rejected.
    """
    kinds: dict[BrowserVerdict, int] = {}
    following = iter(plan.verdicts)
    verdicts = [next(following) if known else None for known in planned]
    places = [
        -1 if verdict is None or verdict.reason == USED else kinds.setdefault(verdict[:4], len(kinds))
        for verdict in verdicts
    ]
    return list(kinds), places


def read_left_out(text: bytes) -> list[ArchiveEntry]:
    """Return what a browser left out after the plan, from a JSON list of [path, reason]. Raise `BadPaths`."""
    found = _read_pairs(text)
    if not all(isinstance(name, str) and isinstance(reason, str) and reason for name, reason in found):
        raise BadPaths
    return [ArchiveEntry(name, None, None, reason) for name, reason in found]


def _read_pairs(text: bytes) -> list[tuple[Any, Any]]:
    try:
        return [(one, other) for one, other in json.loads(text)]
    except (ValueError, TypeError, RecursionError):
        raise BadPaths from None


def _read_paths(text: bytes) -> Sequence[tuple[str, int]]:
    paths = _read_pairs(text)
    if not all(isinstance(name, str) and isinstance(size, int) for name, size in paths):
        raise BadPaths
    return paths


def _reader(survey: Survey, tables: dict[str, "File[bytes]"]) -> Callable[[int], bytes]:
    def read(place: int) -> bytes:
        file = tables.get(survey.members[place].name)
        if file is None:
            raise EntryRefused("It was not sent.")
        return bytes(file.read(DEFAULT_LIMITS.max_file_bytes))

    return read
