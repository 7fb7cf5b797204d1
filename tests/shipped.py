"""Run what an export consists of as its reader would: from its own files."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def load_shipped(folder: Path) -> Callable[[bytes, Any], tuple[Any, bool]]:
    """Return the function of an export's model.py: probabilities (C,), and whether the picture is none of these."""
    spec = importlib.util.spec_from_file_location("shipped_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(folder)  # type: ignore[no-any-return]


def answers_of(folder: Path, *pictures: Path) -> Any:
    """Return the probabilities (N, C) that an export's program prints for pictures, in an empty environment."""
    command = [sys.executable, str(folder / "classify.py"), "--json", *map(str, pictures)]
    done = subprocess.run(command, cwd=folder.parent, env={}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return np.array([json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")])
