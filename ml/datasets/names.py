"""Decide from the name of an entry whether to skip it, to refuse it, or which class the file belongs to.

Names come from strangers. They are only inspected and shown, never used to open or write a file.
"""

import functools
import re
import unicodedata
from dataclasses import dataclass, field

MAX_CLASS_NAME_LENGTH = 200

OUTSIDE_CLASSES = "It is not in a class folder."
NESTED_ARCHIVE = "It is itself an archive; archives inside archives are not read."

_ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
_NESTED_SUFFIXES = (*_ARCHIVE_SUFFIXES, ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")
_ARCHIVE_SIGNATURES = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c", b"Rar!"),
    *(b"\x1f\x8b", b"BZh", b"\xfd7zXZ"),
)
_TAR_SIGNATURE_AT = 257

# Left behind by Windows and macOS; nobody means to upload them.
_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})

_DRIVE = re.compile(r"[A-Za-z]:")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

Folders = tuple[str, ...]


class EntryRefused(ValueError):
    """The entry cannot be used, although others may be. The message is a sentence for the user."""


@dataclass
class Layout:
    """A detector of the folder that contains the class folders, which it finds from all names.

    The deepest folder that contains every file is either the only class (`daisy/1.jpg, daisy/2.jpg`) or, when some
    files lie deeper, the top folder above the classes (`flower_photos/daisy/1.jpg`). In the second case a file directly
    in it, such as `flower_photos/LICENSE.txt`, belongs to no class.
    """

    common: Folders | None = None
    depth: int = field(default=0)
    _last: Folders = ()
    _names: dict[Folders, str] = field(default_factory=dict)  # of the classes found so far

    def see(self, folders: Folders) -> None:
        """Take one more file into account, given the folders it lies in."""
        if not folders or folders is self._last:
            return
        self._last = folders
        self.depth = max(self.depth, len(folders))
        if self.common is None:
            self.common = folders
        while folders[: len(self.common)] != self.common:
            self.common = self.common[:-1]

    def class_of(self, folders: Folders) -> str:
        """Return the class of a file in `folders`, which is its immediate folder.

        Raise `EntryRefused` if the file lies outside the class folders or if the folder's name cannot be a class name.
        """
        if folders not in self._names:
            if not folders or (folders == self.common and self.depth > len(folders)):
                raise EntryRefused(OUTSIDE_CLASSES)
            self._names[folders] = _clean_class_name(folders[-1])
        return self._names[folders]


def looks_like_archive(name: str) -> bool:
    """Return whether a file of this name may be passed to `walk_archive`. Only the name is checked."""
    return name.lower().endswith(_ARCHIVE_SUFFIXES)


def is_nested_archive(name: str, data: bytes) -> bool:
    """Return whether an entry is an archive, judging by its name or its first bytes."""
    if name.lower().endswith(_NESTED_SUFFIXES) or data.startswith(_ARCHIVE_SIGNATURES):
        return True
    return data.startswith(b"ustar", _TAR_SIGNATURE_AT)


@functools.lru_cache(maxsize=64)  # the files of a folder come one after the other
def _split_folder(folder: str) -> Folders:
    return tuple(part for part in folder.split("/") if part not in ("", "."))


def split_name(name: str) -> tuple[Folders, str]:
    """Split a path into its folders and its last part, dropping empty parts and `.`.

    Slashes and backslashes both separate. The last part is empty if the path has no parts.
    """
    folder, _, last = name.replace("\\", "/").rpartition("/")
    folders = _split_folder(folder)
    if last not in ("", "."):
        return folders, last
    return folders[:-1], folders[-1] if folders else ""


def is_litter(part: str) -> bool:
    """Return whether a path part is hidden or left behind by an operating system, to be skipped with its contents."""
    return (part.startswith(".") and part != "..") or part.lower() in _LITTER


@functools.lru_cache(maxsize=64)
def in_litter(folders: Folders) -> bool:
    """Return whether any of the folders is litter."""
    return any(is_litter(folder) for folder in folders)


def check_name(name: str, folders: Folders, last: str, max_length: int) -> None:
    """Raise `EntryRefused` if the name is too long, absolute, leads out of the archive or has control characters."""
    if len(name) > max_length:
        raise EntryRefused("Its name is too long.")
    if not name.isprintable() and _CONTROL.search(name):
        raise EntryRefused("Its name contains control characters.")
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise EntryRefused("Its name is an absolute path.")
    if last == ".." or ".." in folders:
        raise EntryRefused("Its name points outside the archive.")


def displayable(name: str, max_length: int) -> str:
    """Return the name for a report: one line of valid text of limited length."""
    if name.isprintable() and len(name) <= max_length:
        return name
    text = _SURROGATE.sub("\ufffd", _CONTROL.sub("\ufffd", name))
    return text if len(text) <= max_length else text[:max_length] + "…"


def _clean_class_name(folder: str) -> str:
    if _SURROGATE.search(folder):
        raise EntryRefused("The name of its folder is not valid text.")
    name = unicodedata.normalize("NFC", folder).strip()
    if not name:
        raise EntryRefused("The name of its folder is empty.")
    if len(name) > MAX_CLASS_NAME_LENGTH:
        raise EntryRefused(f"The name of its folder is longer than {MAX_CLASS_NAME_LENGTH} characters.")
    return name
