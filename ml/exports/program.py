"""Build an export and run its program, as a program, so that its caller need not load TensorFlow.

    python -m ml.exports.program build FORMAT PARTS OUT
    python -m ml.exports.program answer OUT PICTURES
    python -m ml.exports.program hub BACKBONE OUT SETTINGS

`PICTURES` is a folder with files 0, 1, 2, ...; the answers go to PICTURES.npz, with the milliseconds for one picture,
and each line printed is the number of pictures done.
"""

import contextlib
import io
import json
import runpy
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from ml.backbones.registry import get_backbone
from ml.exports import tf_hub
from ml.exports.parts import Parts
from ml.exports.registry import FORMATS
from ml.settings import MLSettings

SAID_EVERY = 8  # pictures
PROGRAM, ANSWERS = "classify.py", ".npz"


def main(arguments: list[str]) -> int:
    """Run the program with its command-line arguments, and return the exit code."""
    action, *rest = arguments
    if action == "hub":
        backbone, out, settings = rest
        tf_hub.build_backbone(get_backbone(backbone, MLSettings.parse(settings)), Path(out))
    elif action == "build":
        format, parts, out = rest
        FORMATS[format].code().build(Parts.read(Path(parts)), Path(out))
    else:
        out, pictures = rest
        return answer(Path(out), Path(pictures))
    return 0


def answer(folder: Path, pictures: Path) -> int:
    """Run the exported program itself on the files of the pictures, and write its answers and the time for a picture.

    Return its exit code.
    """
    names = [str(pictures / str(number)) for number in range(len(list(pictures.iterdir())))]
    said = _Answers()
    sys.path.insert(0, str(folder))  # as Python does for a program that is run by its path
    sys.argv = [PROGRAM, "--full", *names]
    code: object = 0
    with contextlib.redirect_stdout(said):
        try:
            runpy.run_path(str(folder / PROGRAM), run_name="__main__")
        except SystemExit as end:
            code = end.code
    np.savez(
        pictures.with_suffix(ANSWERS),
        probabilities=np.asarray(said.rows, np.float32),
        none_of_these=np.asarray(said.refused, bool),
        # The median, because the first picture also waits for one-time initialisation.
        milliseconds=np.float64(1000 * statistics.median(said.seconds or [0.0])),
    )
    return int(bool(code))


class _Answers(io.TextIOBase):
    """What the program prints: a line of JSON for each picture. Others, which libraries print, are left out."""

    def __init__(self) -> None:
        self.rows: list[list[float]] = []
        self.refused: list[bool] = []
        self.seconds: list[float] = []
        self._begun, self._rest = time.perf_counter(), ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.startswith("{"):
                self._take(json.loads(line))
        return len(text)

    def _take(self, said: dict[str, Any]) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self._begun)
        self.rows.append(said["probabilities"])
        self.refused.append(said["none_of_these"])
        self._begun = now
        if len(self.rows) % SAID_EVERY == 1:
            print(len(self.rows), flush=True, file=sys.__stdout__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
