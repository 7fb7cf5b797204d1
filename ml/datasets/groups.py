"""Tell from file names which pictures belong together: frames of one video, variants of one photo.

What belongs together must not be in two splits, or a test would ask for what was learnt by heart.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

MAX_GROUP_LENGTH = 200
SAME_PHOTO = "same photo as"  # what the name of a group begins with that was found by looking, and no other
LEAST_FRAMES = 3  # of a series without the word “frame”
_GAPS = 2.0  # how many times as far apart as without gaps the numbers of a series may be

# As TensorFlow for Poets did: what follows is ignored in deciding on a picture's split.
_NO_HASH = re.compile(r"^(?P<group>.*?)_nohash_", re.IGNORECASE)
# Roboflow's variants of one photo.
_VARIANT = re.compile(r"^(?P<group>.+?)(_(jpe?g|png|webp|bmp|tiff?))?\.rf\.[0-9A-Za-z]{8,}$", re.IGNORECASE)
_FRAME = re.compile(r"^(?P<group>.*?)(?:^|[-_. ])(?:frames?|frm|fr)[-_. ]*\d+$", re.IGNORECASE)
_NUMBERED = re.compile(r"^(?P<group>.*\d\D++)(?P<number>\d{1,7})$")
_DATE = re.compile(r"(?:19|20)\d{6}|(?:19|20)\d\d[-_.]\d\d[-_.]\d\d")


def clean_group(name: str) -> str:
    """Return a group's name as it came with a picture, or "" if only groups that were found may be called so."""
    return "" if name.startswith(SAME_PHOTO) else name[:MAX_GROUP_LENGTH]


def group_by_name(stems: Sequence[str]) -> list[str]:
    """Return the group of each file of one class, given the names without their endings; "" if it has none."""
    found = [_marked(stem) for stem in stems]
    series = _find_series([stem for stem, group in zip(stems, found, strict=True) if group is None])
    groups = [series.get(stem, "") if group is None else group for stem, group in zip(stems, found, strict=True)]
    return [clean_group(group) for group in groups]


def _marked(stem: str) -> str | None:
    """Return the group that a mark in the name tells, or None."""
    for pattern in (_NO_HASH, _VARIANT, _FRAME):
        if match := pattern.match(stem):
            return match["group"].rstrip("-_. ")
    return None


def _find_series(stems: Sequence[str]) -> dict[str, str]:
    """Return the groups of names like `clip3_017`: several series, each of several numbers in a row.

    One series alone is how cameras count, and a date is no series.
    """
    series: dict[str, dict[int, str]] = defaultdict(dict)
    for stem in stems:
        match = _NUMBERED.match(stem)
        if match and not _DATE.search(match["group"]):
            series[match["group"].rstrip("-_. ")][int(match["number"])] = stem
    dense = {group: numbers for group, numbers in series.items() if _is_dense(numbers)}
    if len(dense) < 2:
        return {}
    return {stem: group for group, numbers in dense.items() for stem in numbers.values()}


def _is_dense(numbers: dict[int, str]) -> bool:
    return len(numbers) >= LEAST_FRAMES and max(numbers) - min(numbers) < _GAPS * len(numbers)
