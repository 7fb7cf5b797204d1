"""What killed processes left in the folder for scratch files."""

import contextlib
import shutil
import time
from itertools import chain
from pathlib import Path

from django.conf import settings

SECONDS_KEPT = 24 * 3600  # the longest job that has files there ends after hours


def delete_old_scratch() -> None:
    """Delete files and folders that nothing has touched for a day. For the reaper."""
    until = time.time() - SECONDS_KEPT
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir():
        with contextlib.suppress(OSError):  # another was first
            if _is_touched_since(path, until):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _is_touched_since(path: Path, moment: float) -> bool:
    """Return whether the file, or anything in the folder, was changed since then."""
    return any(one.lstat().st_mtime >= moment for one in chain([path], path.rglob("*")))
