"""Decide from the name of an entry whether to refuse it, and show it.

Names come from strangers. They are only inspected and shown, never used to open or write a file.
"""

import functools
import re
from importlib.util import find_spec

from ml.datasets.litter import Folders

NESTED_ARCHIVE = "It is itself an archive; archives inside archives are not read."

_ZSTD_SUFFIXES = (".tar.zst", ".tzst")
CAN_READ_ZSTD = find_spec("zstandard") is not None  # where the extra `zstd` is installed
# All endings that are read here, and those of archives that are not; whatever shows or checks them derives from these.
ARCHIVE_SUFFIXES = (
    *(".zip", ".tm", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz"),
    *(_ZSTD_SUFFIXES if CAN_READ_ZSTD else ()),
)
OTHER_ARCHIVES = (".7z", ".rar", *(() if CAN_READ_ZSTD else _ZSTD_SUFFIXES))
_NESTED_SUFFIXES = (*ARCHIVE_SUFFIXES, *OTHER_ARCHIVES, ".gz", ".bz2", ".xz", ".zst")

NO_RAR_NOR_7Z = "RAR and 7z archives cannot be read. Make a zip."
NO_ZSTD = (
    "Archives packed with Zstandard (.tar.zst) are read where the extra “zstd” is installed: the administrator of the"
    " site can do that with “make run EXTRAS=zstd”. Or make a zip."
)
_ARCHIVE_SIGNATURES = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c", b"Rar!"),
    *(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"),
)
_TAR_SIGNATURE_AT = 257

_DRIVE = re.compile(r"[A-Za-z]:")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class EntryRefused(ValueError):
    """The entry cannot be used, although others may be. The message is a sentence for the user."""


def looks_like_archive(name: str) -> bool:
    """Return whether a file of this name may be passed to `walk_archive`. Only the name is checked."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def name_archives() -> str:
    """Return the endings of archives that are read here, for a sentence: `.zip, .tm or .tar`."""
    *most, last = ARCHIVE_SUFFIXES
    return f"{', '.join(most)} or {last}"


def why_no_archive(name: str) -> str:
    """Return the sentence about a file that is not read as an archive, judging by its name."""
    if name.lower().endswith(_ZSTD_SUFFIXES):
        return NO_ZSTD
    return NO_RAR_NOR_7Z if name.lower().endswith(OTHER_ARCHIVES) else f"Choose a {name_archives()} file."


def has_archive_name(name: str) -> bool:
    """Return whether an entry is an archive by its name."""
    return name.lower().endswith(_NESTED_SUFFIXES)


def is_nested_archive(name: str, data: bytes) -> bool:
    """Return whether an entry is an archive, judging by its name or its first bytes."""
    if has_archive_name(name) or data.startswith(_ARCHIVE_SIGNATURES):
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
