"""The surroundings of a command that may import TensorFlow."""

import logging
import os
from pathlib import Path


def use_quietly(weights: Path | None) -> None:
    """Before TensorFlow is imported: its remarks are not for the user. `weights` is where --model_dir says."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if weights is not None:
        os.environ["POETSWEB_WEIGHTS"] = str(weights)
