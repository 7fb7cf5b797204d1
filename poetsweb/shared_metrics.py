"""The folder in which the web processes of one gunicorn share what they count, so that any of them can tell it all.

`prometheus_client` maps a file of it for each process. It lies in memory where there is such a folder: a disk that is
full must not stop a process that counts. `PROMETHEUS_MULTIPROC_DIR` names it before `prometheus_client` is imported.
"""

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "poetsweb-metrics-"
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made there


def make_folder() -> str:
    """Make the folder of this process and of those that it forks, and delete those that killed ones have left."""
    parent = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _delete_left(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))
    atexit.register(_delete, folder, os.getpid())
    return str(folder)


def _delete(folder: Path, owner: int) -> None:
    """Delete what has been counted when its owner ends: the next one begins anew, which Prometheus understands."""
    if os.getpid() == owner:  # the processes that it has forked end as well
        shutil.rmtree(folder, ignore_errors=True)


def _delete_left(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if pid.isdigit() and folder.lstat().st_uid == os.getuid() and not _runs(int(pid)):
                shutil.rmtree(folder)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return pid != os.getpid()
