"""Where files are that processes without settings need."""

import os
from pathlib import Path


def weights_folder() -> Path:
    """Of weights and networks that no package carries; the settings put it into the environment."""
    return Path(os.environ.get("POETSWEB_WEIGHTS") or Path.home() / ".cache" / "poetsweb" / "weights")
