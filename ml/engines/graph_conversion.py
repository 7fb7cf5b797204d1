"""Convert a frozen graph to LiteRT, and keep the result only if it gives the same numbers. Import TensorFlow."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

AGREES = 1e-2  # of the largest number: LiteRT and TensorFlow add in another order


def convert_checked(graph: bytes, target: Path, pictures: NDArray[np.uint8], answers: NDArray[np.float32]) -> str:
    """Write the LiteRT form of a graph in our form (see `ml.model_import.graphs`) to `target`.

    Return an empty string if LiteRT runs it and gives `answers`, (K, F), for `pictures`, (K, S, S, 3). Otherwise return
    why LiteRT cannot run it, and leave no file.
    """
    from ml.backbones.frozen_graphs import convert
    from ml.engines.litert import LiteRTEngine

    try:
        target.write_bytes(convert(graph))
    except Exception as error:  # the converter raises all sorts, and its own class is not public
        return _why(str(error))
    try:
        found = LiteRTEngine(target).embed(pictures)
    except (ValueError, RuntimeError):
        target.unlink()
        return "its converted form does not run"
    if float(np.abs(found - answers).max()) > AGREES * max(float(np.abs(answers).max()), 1.0):
        target.unlink()
        return "its converted form gives other numbers"
    return ""


def _why(complaint: str) -> str:
    """Summarise a complaint of the converter, whose own messages contain paths and fill pages."""
    operations = sorted(set(re.findall(r"'?tf\.(\w+)'? op is|custom op: (?:Flex)?(\w+)", complaint)))
    named = ", ".join(first or second for first, second in operations[:5])
    return f"it has no operation {named}" if named else "it cannot be converted"
