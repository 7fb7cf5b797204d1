"""Clean the names of classes, and find those that people would take for the same."""

import functools
import re
import unicodedata
from collections.abc import Iterable

MAX_CLASS_NAME_LENGTH = 200

_SURROGATE = re.compile("[\ud800-\udfff]")
# Seen by nobody: zero-width and soft hyphens, marks of direction, the byte order mark, tags.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\U000e0000-\U000e007f]"
)
_JOINER = re.compile("[\u200c\u200d]")
_REVERSED = re.compile("\u202e([^\u202c]*)\u202c?")
_NUMBERS = re.compile(r"\d+")
_SHORT, _LONG = 5, 10  # letters of names in which one slip, or two, are looked for
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

# Letters of other alphabets that look like Latin ones; the standard library has no table of them.
_LOOKS_LIKE = str.maketrans(
    dict(
        zip(
            "авеёкмнорстухіјѕԁһԛԝαβεικνορτυχγı",
            "abeekmhopctyxijsdhqwabeikvoptuxyi",
            strict=True,
        )
    )
)


class BadClassName(ValueError):
    """The name cannot be a class's. The message is a sentence that begins with "is" and has no subject."""


@functools.lru_cache(maxsize=4096)  # thousands of pictures share a few names
def clean_label(name: str) -> str:
    """Return a class's name as people see it: in NFC, trimmed, without characters that nobody sees.

    Raise `BadClassName` if nothing is left, or too much.
    """
    if _SURROGATE.search(name):
        raise BadClassName("is not valid text.")
    cleaned = show_as_seen(name)
    if not cleaned:
        raise BadClassName("is empty.")
    if len(cleaned) > MAX_CLASS_NAME_LENGTH:
        raise BadClassName(f"is longer than {MAX_CLASS_NAME_LENGTH} characters.")
    return cleaned


def show_as_seen(name: str) -> str:
    """Return the name without what is invisible, and in the order in which it is shown."""
    if name.isascii():
        return name.strip()
    shown = _REVERSED.sub(lambda found: found[1][::-1], name)
    shown = _INVISIBLE.sub("", shown)
    return unicodedata.normalize("NFC", _JOINER.sub(_keep_joiner, shown)).strip()


def _keep_joiner(found: re.Match[str]) -> str:
    """Keep a joiner between letters or signs that it shapes, as in Persian, Hindi and emoji."""
    around = found.string[max(0, found.start() - 1) : found.start()], found.string[found.end() : found.end() + 1]
    return found[0] if all(side > "\u0590" for side in around) else ""


def has_invisible(name: str) -> bool:
    """Return whether cleaning takes out of the name what nobody sees."""
    return not name.isascii() and bool(_INVISIBLE.search(name) or _JOINER.sub(_keep_joiner, name) != name)


def has_control(name: str) -> bool:
    return bool(_CONTROL.search(name))


@functools.lru_cache(maxsize=4096)
def fold_label(name: str) -> str:
    """Return what is left of a name without case and width, with letters of other alphabets as those they look like."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().translate(_LOOKS_LIKE).split())


def find_twins(names: Iterable[str]) -> list[list[str]]:
    """List the groups of names that differ only by case, width or letters that look alike."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(fold_label(name), []).append(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def find_near(name: str, others: Iterable[str]) -> list[str]:
    """List those of the other names that people may have meant as the same one.

    They differ by case, width, letters that look alike, what nobody sees, a plural, or a slip of the keyboard. Names
    with other numbers are meant to differ.
    """
    return sorted(other for other in others if _is_near(_fold_fully(name), _fold_fully(other)))


def _fold_fully(name: str) -> str:
    return "".join(letter for letter in fold_label(show_as_seen(name)) if letter.isalnum()) or name


def _is_near(one: str, other: str) -> bool:
    if one == other or _singular(one) == _singular(other):
        return True
    same_numbers = _NUMBERS.findall(one) == _NUMBERS.findall(other)
    slips = 2 if min(len(one), len(other)) >= _LONG else 1 if min(len(one), len(other)) >= _SHORT else 0
    return same_numbers and slips > 0 and _is_within(one, other, slips)


def _singular(name: str) -> str:
    for ending, singular in (("ies", "y"), ("es", ""), ("s", "")):
        if name.endswith(ending) and len(name) > len(ending) + 1:
            return name[: -len(ending)] + singular
    return name.removesuffix("e")  # apple and apples, box and boxes


def _is_within(one: str, other: str, most: int) -> bool:
    """Return whether so many letters added, left out, changed or swapped make the one the other, by Levenshtein."""
    if abs(len(one) - len(other)) > most:
        return False
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        older, before, row = before, row, [place]
        for column, theirs in enumerate(other, 1):
            cost = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != theirs))
            swapped = place > 1 and column > 1 and (letter, one[place - 2]) == (other[column - 2], theirs)
            row.append(min(cost, older[column - 2] + 1) if swapped else cost)
    return row[-1] <= most
