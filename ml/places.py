"""Where files are that processes without settings need; the settings put them into the environment."""

import os
from pathlib import Path

_OTHERWISE = Path.home() / ".cache" / "poetsweb"


def weights_folder() -> Path:
    """Of weights and networks that no package carries."""
    return Path(os.environ.get("POETSWEB_WEIGHTS") or _OTHERWISE / "weights")


def backbones_folder() -> Path:
    """Of converted backbones, and what else is made once a machine and can be made again."""
    return Path(os.environ.get("POETSWEB_BACKBONES") or _OTHERWISE / "backbones")
