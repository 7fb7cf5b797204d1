"""Find the picture that a line of a table means, however the table writes its path."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from ml.datasets.litter import Folders
from ml.datasets.vocabulary import split_of

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*://+")
_WEB = re.compile(r"^(https?|ftp)://", re.IGNORECASE)
_QUERY = re.compile(r"[?#].*", re.DOTALL)
_LABEL_STUDIO = re.compile(r"^[0-9a-f]{8}-(?=.)")  # which it puts before the name of an uploaded file
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
_MOST_ALIKE = 1000  # pictures of one name that are compared


def is_web_address(text: str) -> bool:
    return bool(_WEB.match(text))


class PictureIndex:
    """The pictures of a listing by their names, for tables to look them up."""

    def __init__(self, pictures: Sequence[tuple[Folders, str]]) -> None:
        self.pictures = pictures
        # By the folder that a picture lies in, and by "" for those in any.
        self._by_name: dict[tuple[str, str], list[int]] = {}
        self._by_stem: dict[tuple[str, str], list[int]] = {}
        self._known: dict[tuple[str, Folders, str], int | None] = {}  # thousands of lines may name the same one
        for place, (folders, last) in enumerate(pictures):
            small = last.casefold()
            for folder in {"", folders[-1].casefold() if folders else ""}:
                self._by_name.setdefault((folder, small), []).append(place)
                self._by_stem.setdefault((folder, _EXTENSION.sub("", small)), []).append(place)

    def knows(self, text: str) -> bool:
        """Return whether any picture has the name at the end of this path."""
        return bool(text) and bool(self._alike(_split(text)[-1]))

    def find(self, text: str, beside: Folders = (), split: str = "") -> int | None:
        """Return the place of the picture meant by a table, or None if none or several fit.

        Args:
            beside: the folder of the table.
            split: the split that the table is of, if it is of one.
        """
        key = (text, beside, split)
        if key not in self._known:
            self._known[key] = self._find(_split(text), beside, split)
        return self._known[key]

    def _find(self, parts: list[str], beside: Folders, split: str) -> int | None:
        folders = [part.casefold() for part in parts[:-1]]
        fitting: list[int] = []
        for folder in (folders[-1], "") if folders else ("",):  # who shares the folder is closer than who does not
            found = self._alike(parts[-1], folder)[:_MOST_ALIKE] if parts[-1] else []
            fitting = fitting or [place for place in found if self._same_split(place, folders)]
        if len(fitting) < 2:
            return fitting[0] if fitting else None
        ranked = sorted(((self._closeness(place, folders, beside, split), place) for place in fitting), reverse=True)
        return ranked[0][1] if ranked[0][0] > ranked[1][0] else None

    def _alike(self, last: str, folder: str = "") -> list[int]:
        small = last.casefold()
        plain = _LABEL_STUDIO.sub("", small)
        for name in (small, plain):
            # A dot in a name without its ending, as in an id, does not begin an ending.
            if found := self._by_name.get((folder, name)) or self._by_stem.get((folder, name)):
                return found
        return []

    def _same_split(self, place: int, folders: list[str]) -> bool:
        """Return False if the table means test/1.jpg and the picture is train/1.jpg."""
        theirs = {split for folder in folders if (split := split_of(folder))}
        ours = {split for folder in self.pictures[place][0] if (split := split_of(folder))}
        return not theirs or not ours or bool(theirs & ours)

    def _closeness(self, place: int, folders: list[str], beside: Folders, split: str) -> tuple[int, int, int]:
        own = self.pictures[place][0]
        same = 0
        for theirs, ours in zip(reversed(folders), reversed(own), strict=False):
            if theirs != ours.casefold():
                break
            same += 1
        near = sum(1 for theirs, ours in zip(beside, own, strict=False) if theirs == ours)
        is_of_split = int(bool(split) and any(split_of(folder) == split for folder in own))
        return same, is_of_split, near - (0 if folders else len(own))


def _split(text: str) -> list[str]:
    text = text.strip().replace("\\", "/")
    if scheme := _SCHEME.match(text):
        text = unquote(_QUERY.sub("", text[scheme.end() :]))
    elif text.startswith("/data/") and "?d=" in text:  # a local file of Label Studio
        text = unquote(text.partition("?d=")[2])
    return [part for part in text.split("/") if part not in ("", ".")] or [""]
