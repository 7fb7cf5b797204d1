"""Locate the data folder, for the settings and for commands that need nothing else from them."""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from ml.settings import MLSettings
from poetsweb.env import BASE_DIR, ENVIRONMENT

__all__ = ["BASE_DIR", "DATA_DIR", "ML", "make_private", "make_socket_folder", "socket_folder"]

PRIVATE_UMASK = 0o077  # of the processes that write there

MAX_SOCKET_FOLDER_BYTES = 84  # which leaves room for a number and a name

DATA_DIR = ENVIRONMENT.POETSWEB_DATA
ML = MLSettings(
    weights_dir=DATA_DIR / "weights",
    backbones_dir=DATA_DIR / "backbones",
    weights_url=ENVIRONMENT.WEIGHTS_URL.rstrip("/"),
    fetch_private_addresses=ENVIRONMENT.FETCH_PRIVATE_ADDRESSES,
    unconfined_networks=ENVIRONMENT.UNCONFINED_NETWORKS,
)


def make_private(folder: Path) -> None:
    """Create a folder that nobody but its owner may enter, or make it so. One that is not ours is left as it is.

    Raise `ImproperlyConfigured` if it cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            with contextlib.suppress(PermissionError):
                folder.chmod(0o700)
    except OSError as error:
        raise ImproperlyConfigured(
            f"the data folder {folder} cannot be used ({error.strerror}); "
            "set POETSWEB_DATA to a folder that you may write to."
        ) from None


def make_socket_folder(folder: Path) -> None:
    """Create a folder of `socket_folder` that nobody but us may enter, or make it so.

    Where everybody may create folders, somebody else may have created it before us, and would own what is said there.
    Within the data folder, whose owner may be another user, it is as private as that is. Raise `ImproperlyConfigured`
    if it cannot be used.
    """
    if folder.is_relative_to(DATA_DIR):
        make_private(folder)
        return
    if not _is_made_ours(folder):
        raise ImproperlyConfigured(
            f"{folder}, where the site's processes meet, is not a folder of the user who runs it alone; remove it, or "
            "set POETSWEB_DATA to a folder with a shorter path, or TMPDIR to a folder that nobody else may write to."
        )


def _is_made_ours(folder: Path) -> bool:
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700, parents=True)
        found = folder.lstat()  # a link could lead to a folder of ours that others may see
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        folder.chmod(0o700)
        return stat.S_IMODE(folder.lstat().st_mode) == 0o700
    except OSError:
        return False


def socket_folder(name: str) -> Path:
    """Return a folder for Unix sockets, the same for every process that uses this data folder.

    The path of a socket may have at most 107 bytes (103 on macOS), so a deep data folder gets a short folder elsewhere.
    Its name depends on the path and the user, so that two installations never share it.
    """
    folder = DATA_DIR / name
    if len(os.fsencode(folder)) <= MAX_SOCKET_FOLDER_BYTES:
        return folder
    mark = hashlib.sha256(os.fsencode(DATA_DIR)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"poetsweb-{os.getuid()}-{mark}-{name}"
