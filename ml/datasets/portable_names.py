"""Name the folders and files of a download so that every system can unpack them, and every name is there once."""

import re
import unicodedata

from ml.datasets.file_names import PICTURES
from ml.datasets.litter import is_litter

MAX_FOLDER, MAX_FILE = 80, 150  # bytes in UTF-8; Windows takes paths of 260 characters in all
_TAG = 12  # characters of a sha256 that tell namesakes apart

_REFUSED = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\ud800-\udfff\ufffe\uffff]')  # by Windows, zips or everybody
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(?=$|\.)", re.IGNORECASE)


def portable(name: str, most_bytes: int) -> str:
    """Return a name that every system takes for a file or a folder, as like this one as can be."""
    text = _REFUSED.sub("_", unicodedata.normalize("NFC", name)).rstrip(". ").lstrip(" ")
    text = text.encode()[:most_bytes].decode(errors="ignore").rstrip(". ")
    needs_more = not text or _DEVICES.match(text) or is_litter(text)
    return f"_{text}" if needs_more else text


class PortableNames:
    """The names given so far. Of those of files only hashes are kept: there may be very many.

    Args:
        reserved: names of files and folders at the top.
    """

    def __init__(self, reserved: tuple[str, ...] = ()) -> None:
        self._folders: dict[tuple[str, str], str] = {}
        self._taken = {name.casefold() for name in reserved}
        self._files: set[int] = set()

    def folder(self, parent: str, label: str) -> str:
        """Return the path of the folder of a class, in a parent that is "" at the top."""
        if (parent, label) not in self._folders:
            self._folders[parent, label] = self._new_folder(parent, portable(label, MAX_FOLDER))
        return self._folders[parent, label]

    def _new_folder(self, parent: str, name: str) -> str:
        path, number = _join(parent, name), 1
        while path.casefold() in self._taken:  # “Cat” and “cat” are one folder on some systems
            number += 1
            path = _join(parent, f"{name} ({number})")
        self._taken.add(path.casefold())
        return path

    def file(self, folder: str, file_name: str, ending: str, sha256: str) -> str:
        """Return the path of a picture: its own name, with its sha256 if another one is called so."""
        stem, ending = _take_apart(file_name.replace("\\", "/").rpartition("/")[2], ending)
        for tag in ("", f" {sha256[:_TAG]}", f" {sha256}"):
            path = _join(folder, f"{portable(stem, MAX_FILE)}{tag}.{ending}")
            if (known := hash(path.casefold())) not in self._files:
                break
        self._files.add(known)
        return path


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _take_apart(name: str, ending: str) -> tuple[str, str]:
    """Return a name's stem and its ending, or the ending for its format where it has none of a picture's."""
    stem, _, own = name.rpartition(".")
    return (stem, own) if stem and own.lower() in PICTURES else (name, ending)
