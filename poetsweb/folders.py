"""Where the data folder is: for the settings, and for commands that need nothing else of them."""

import hashlib
import os
import tempfile
from pathlib import Path

from ml.settings import MLSettings
from poetsweb.env import BASE_DIR, ENVIRONMENT

__all__ = ["BASE_DIR", "DATA_DIR", "ML", "socket_folder"]

MAX_SOCKET_FOLDER_BYTES = 84  # which leaves room for a number and a name

DATA_DIR = ENVIRONMENT.POETSWEB_DATA
ML = MLSettings(
    weights_dir=DATA_DIR / "weights",
    backbones_dir=DATA_DIR / "backbones",
    weights_url=ENVIRONMENT.WEIGHTS_URL.rstrip("/"),
    fetch_private_addresses=ENVIRONMENT.FETCH_PRIVATE_ADDRESSES,
)


def socket_folder(name: str) -> Path:
    """Return a folder of this data folder for Unix sockets; the same for every process that uses it.

    A socket's path may have at most 107 bytes (on macOS 103), so a deep folder gets a short name elsewhere, made
    from its path and its user so that two copies never meet.
    """
    folder = DATA_DIR / name
    if len(os.fsencode(folder)) <= MAX_SOCKET_FOLDER_BYTES:
        return folder
    mark = hashlib.sha256(os.fsencode(DATA_DIR)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"poetsweb-{os.getuid()}-{mark}-{name}"
