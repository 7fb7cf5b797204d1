"""Make small pictures of the classes of an archive, for the person who is asked how it is to be read."""

import base64
from collections.abc import Iterator, Mapping
from itertools import islice

from ml.datasets.archives import ArchiveEntry, Opened
from ml.images.decoding import ImageRejected, make_thumbnail

CLASSES, EACH, PIXELS = 12, 3, 72
FIRST = 500  # files that are looked at of what can only be read in one go


def show_classes(opened: Opened) -> dict[str, list[str]]:
    """Return a few pictures of the first classes, as JPEG in base64; of a tar, of those classes that begin it."""
    found: dict[str, list[str]] = {name: [] for name in list(opened.plan.classes)[:CLASSES]}
    missing = dict.fromkeys(found, EACH)
    for entry in _entries(opened, missing):
        name = entry.class_name or ""
        if missing.get(name) and entry.data is not None:
            missing[name] -= 1
            found[name] += _thumbnail(entry.data)
        if not any(missing.values()):
            break
    return {name: pictures for name, pictures in found.items() if pictures}


def _entries(opened: Opened, missing: Mapping[str, int]) -> Iterator[ArchiveEntry]:
    """Yield the entries of classes of which pictures are missing, or where none can be chosen the first of all."""
    walk = opened.walk()
    if walk.entry is None:
        yield from islice(walk, FIRST)
        return
    for place, verdict in enumerate(opened.plan.verdicts):
        if missing.get(verdict.class_name or ""):
            yield walk.entry(place)


def _thumbnail(data: bytes) -> list[str]:
    try:
        return [base64.b64encode(make_thumbnail(data, PIXELS)).decode()]
    except ImageRejected:
        return []
