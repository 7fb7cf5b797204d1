"""Represent how a layout is to be read: the values of `--layout` and of the field `layout`."""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ml.errors import Refused

AUTO, FIRST, LAST, FOLDER = "auto", "first", "last", "folder"
NAME, TABLE, UNLABELLED, SPLITS = "name", "table", "unlabelled", "splits"
VALUES = (
    "auto, first (the first folder is the class), last (the last folder), folder:N (the N-th folder), name (the file"
    " name up to its number), name:PATTERN (such as name:{class}.*.jpg), table or table:FILE (a table beside the"
    " pictures; table:FILE#COLUMN names the column of the class), splits (folders called train, test, images and the"
    " like are never classes) or unlabelled; behind it, if needed, ,merge or ,apart (class names that look alike) and"
    " ,keep or ,deal (splits that folders or tables give), ,groups=folder:N, ,groups=PATTERN (such as"
    " ,groups={group}_*) or ,groups=none (what shows the same thing), ,frames=N (frames a second of videos) and"
    " ,encoding=NAME (of file names in a zip)"
)
NO_GROUPS = "none"
CLASS_MARK, GROUP_MARK = "{class}", "{group}"
_FRAMES = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?")
_FOLDER_NUMBER = re.compile(r"[1-9]\d?")
_MAX_PATTERN, _MAX_WILDCARDS = 200, 6
_MOST_CHARACTERS = 2000  # of a whole layout
# What Python calls encodings beside; no program writes names in them, and some take very long or fail in odd ways.
_NO_CODE_PAGES = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7")
_MODIFIER = re.compile(r"^(.*),\s*(merge|apart|keep|deal|(?:encoding|groups|frames)=[^,]+)$", re.DOTALL)


class BadLayout(Refused):
    """The text names no reading. The message is a sentence that lists them."""


@dataclass(frozen=True)
class Layout:
    """A reading, and what was decided beside it.

    Attributes:
        reading: a constant of this module.
        argument: the N of `folder:N`, the pattern of `name:`, the FILE#COLUMN of `table:`.
        merge: whether class names that look alike are one class; None if nobody has decided.
        keep: whether given splits are kept; None if nobody has decided, which keeps them.
        encoding: of the names in a zip that do not say; "" if nobody has decided.
        groups: which pictures show the same thing: `folder:N`, a pattern with `{group}`, or NO_GROUPS; "" if nobody
            has decided, which looks for them in folders and names.
        frames: a second, that videos become; None if nobody has decided.
    """

    reading: str = AUTO
    argument: str = ""
    merge: bool | None = None
    keep: bool | None = None
    encoding: str = ""
    groups: str = ""
    frames: float | None = None

    def __str__(self) -> str:
        text = f"{self.reading}:{self.argument}" if self.argument else self.reading
        text += {None: "", True: ",merge", False: ",apart"}[self.merge]
        text += {None: "", True: ",keep", False: ",deal"}[self.keep]
        text += f",groups={self.groups}" if self.groups else ""
        text += "" if self.frames is None else f",frames={self.frames:g}"
        return f"{text},encoding={self.encoding}" if self.encoding else text

    def read_as(self, reading: str, argument: str = "") -> "Layout":
        return replace(self, reading=reading, argument=argument)

    def with_encoding(self, encoding: str) -> "Layout":
        return replace(self, encoding=encoding)


def parse_layout(text: str) -> Layout:
    """Return the layout that a text names. Raise `BadLayout`."""
    if len(text) > _MOST_CHARACTERS:
        raise BadLayout(f"A layout has at most {_MOST_CHARACTERS:,} characters. Use {VALUES}.")
    merge, keep, encoding, groups, frames, rest = None, None, "", "", None, text.strip()
    while found := _MODIFIER.match(rest):
        rest, (word, _, value) = found[1], found[2].partition("=")
        if word == "encoding":
            encoding = _known_encoding(value)
        elif word == "groups":
            groups = _checked_groups(value.strip())
        elif word == "frames":
            frames = _checked_frames(value)
        elif word in ("merge", "apart"):
            merge = word == "merge"
        else:
            keep = word == "keep"
    reading, _, argument = rest.partition(":")
    reading = reading.strip().lower() or AUTO
    _check(reading, argument, text)
    return Layout(reading, argument, merge, keep, encoding, groups, frames)


def combine(texts: Iterable[str]) -> Layout:
    """Return the layout that the answers to several questions are together. Raise `BadLayout`."""
    whole = Layout()
    for layout in map(parse_layout, texts):
        reading = layout if layout.reading != AUTO else whole
        whole = Layout(
            reading.reading,
            reading.argument,
            whole.merge if layout.merge is None else layout.merge,
            whole.keep if layout.keep is None else layout.keep,
            layout.encoding or whole.encoding,
            layout.groups or whole.groups,
            whole.frames if layout.frames is None else layout.frames,
        )
    return whole


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
        known = codecs.lookup(name).name not in _NO_CODE_PAGES
    except (LookupError, UnicodeError):
        known = False
    if not known:
        raise BadLayout(f"{name[:50]!r} is no encoding that is known, such as cp850, cp1252, gbk or cp932.")
    return name.lower()


def _checked_groups(value: str) -> str:
    kind, _, number = value.partition(":")
    if value == NO_GROUPS or (kind == FOLDER and _FOLDER_NUMBER.fullmatch(number)):
        return value
    compile_pattern(value, GROUP_MARK)
    return value


def _checked_frames(value: str) -> float:
    if not _FRAMES.fullmatch(value.strip()) or not 0.01 <= float(value) <= 30:
        raise BadLayout("The frames a second of videos are a number from 0.01 to 30, such as ,frames=2 or ,frames=0.5.")
    return float(value)


def _check(reading: str, argument: str, text: str) -> None:
    if reading not in (AUTO, FIRST, LAST, FOLDER, NAME, TABLE, UNLABELLED, SPLITS):
        raise BadLayout(f"{text[:100]!r} is no layout. Use {VALUES}.")
    if argument and reading not in (FOLDER, NAME, TABLE):
        raise BadLayout(f"The layout {reading!r} takes nothing behind a colon. Use {VALUES}.")
    if reading == FOLDER and not _FOLDER_NUMBER.fullmatch(argument):
        raise BadLayout("The layout 'folder' needs the number of the folder that is the class, such as folder:2.")
    if reading == NAME and argument:
        compile_pattern(argument)


def compile_pattern(pattern: str, mark: str = CLASS_MARK) -> re.Pattern[str]:
    """Return the expression for a pattern such as `{class}.*.jpg`, whose `*` stands for anything.

    Raise `BadLayout` unless it has the mark exactly once and few wildcards.
    """
    if pattern.count(mark) != 1 or pattern.count("*") > _MAX_WILDCARDS or len(pattern) > _MAX_PATTERN:
        raise BadLayout(f"A pattern has {mark} once, and * for anything else, such as {mark}.*.jpg or *_{mark}.*.")
    before, behind = (part.split("*") for part in pattern.split(mark))
    expression = f"{_in_order(before)}(.+?){_in_order(behind[:-1])}"
    expression += f".*?{re.escape(behind[-1])}" if len(behind) > 1 else re.escape(behind[-1])
    return re.compile(expression, re.IGNORECASE | re.DOTALL)


def _in_order(texts: list[str]) -> str:
    """Return the expression for texts with anything between them.

    Each is taken where it is found first and not looked for again, which would take for ever in some names.
    """
    return "".join(re.escape(text) if not place else f"(?>.*?{re.escape(text)})" for place, text in enumerate(texts))
