"""Locate the data folder, for the settings and for commands that need nothing else from them."""

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
    """Return a folder for Unix sockets, the same for every process that uses this data folder.

    The path of a socket may have at most 107 bytes (103 on macOS), so a deep data folder gets a short folder elsewhere.
    Its name depends on the path and the user, so that two installations never share it.
    """
    folder = DATA_DIR / name
    if len(os.fsencode(folder)) <= MAX_SOCKET_FOLDER_BYTES:
        return folder
    mark = hashlib.sha256(os.fsencode(DATA_DIR)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"poetsweb-{os.getuid()}-{mark}-{name}"
