"""What is dear to make is made once in a run, by the first of the processes that run tests to ask for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def make_once(factory: pytest.TempPathFactory, worker: str, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that all tests of the run read and none writes. `worker`: of pytest-xdist, or "master" without it."""
    own = factory.getbasetemp()
    whole = own if worker == "master" else own.parent
    folder = whole / "once" / name
    folder.parent.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.with_suffix(".made").exists():
            folder.mkdir()
            make(folder)
            folder.with_suffix(".made").touch()
    return folder
