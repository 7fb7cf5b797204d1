"""Restrict which files a process may open, with Landlock, which every Linux process may use since kernel 5.13.

Nothing here raises if the system has no Landlock. The restrictions also apply to the children of the process. See
https://docs.kernel.org/userspace-api/landlock.html.
"""

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, the same on every processor
_NO_NEW_PRIVILEGES, _BELOW_PATH, _ASK_VERSION = 38, 1, 1
_WRITE_FILE, _READ_FILE, _READ_FOLDER, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
_OF_FILES = 1 | _WRITE_FILE | _READ_FILE | _TRUNCATE  # rights that a single file can have; 1: to be executed
# The first version knows 13 rights on files; the others came one by one. TCP can be forbidden since the fourth,
# signals and sockets of processes outside since the sixth.
_RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}
_NEWEST, _NET_SINCE, _SCOPES_SINCE = 16, 4, 6
_TCP, _SCOPES = 0b11, 0b11


def can_restrict_files() -> bool:
    """Return whether `restrict_files` would work here."""
    return sys.platform == "linux" and bool(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _ASK_VERSION) >= 1)


def restrict_files(*, reads: Iterable[Path], writes: Iterable[Path], tcp: bool) -> bool:
    """Allow only these paths, and everything below them, to be opened from now on, and nothing to be executed.

    Without `tcp`, connections are forbidden too, where the kernel can do that. Return whether the restrictions are in
    force.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        return False
    rights = (1 << _RIGHTS_OF_VERSION.get(version, _NEWEST)) - 1
    ruleset = libc.syscall(_CREATE_RULESET, *_wanted(version, rights, tcp), 0)
    if ruleset < 0:
        return False
    try:
        for paths, allowed in ((reads, _READ_FILE | _READ_FOLDER), (writes, rights & ~1)):
            for path in paths:
                _allow(libc, ruleset, path, allowed & rights)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _wanted(version: int, rights: int, tcp: bool) -> tuple[bytes, int]:
    """Return the structure that says what is forbidden unless a rule allows it, and its length."""
    fields = [rights]
    if version >= _NET_SINCE:
        fields.append(0 if tcp else _TCP)
    if version >= _SCOPES_SINCE:
        fields.append(_SCOPES)
    packed = struct.pack(f"={len(fields)}Q", *fields)
    return packed, len(packed)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, allowed: int) -> None:
    with contextlib.suppress(OSError):  # a missing path needs no rule
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            fitting = allowed if os.path.isdir(path) else allowed & _OF_FILES
            libc.syscall(_ADD_RULE, ruleset, _BELOW_PATH, struct.pack("=Qi", fitting, place), 0)
        finally:
            os.close(place)
