"""Define the environment of child processes that import TensorFlow."""

import os
from pathlib import Path


def child_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which a child finds our packages, uses no GPU, is quiet, and has `folder` as TMPDIR."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
    return {**os.environ, **quiet, "PYTHONPATH": path, "TMPDIR": str(folder)}
